import { randomBytes } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FoveaError } from '../errors.js'
import { malformed, messageOf } from './checkpoint-error.js'

/** Appends bytes to the file being written. */
export type Append = (bytes: Uint8Array) => Promise<void>

const LARGEST_WRITE = 1 << 30

/**
 * Writes a file so that its path never holds half of it: to a temporary file in the same folder, which takes
 * the place of `path` once all is on the disk, and is removed when anything fails.
 *
 * @throws CheckpointError when the file cannot be written.
 */
export async function writeAtomically(path: string, write: (append: Append) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const handle = await open(temporary, 'wx')
    try {
      await write((bytes) => writeAll(handle, bytes))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(temporary, { force: true })
    if (cause instanceof FoveaError) throw cause
    throw malformed(path, `cannot be written: ${messageOf(cause)}`, { cause })
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const length = Math.min(bytes.byteLength - done, LARGEST_WRITE)
    done += (await handle.write(bytes, done, length)).bytesWritten
  }
}

/** Makes the new name last through a crash, where folders can be synchronised at all. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
