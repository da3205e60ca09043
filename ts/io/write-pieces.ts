import type { FileHandle } from 'node:fs/promises'
import { FoveaError, WriteError } from '../errors.js'
import { writeAtomically } from '../files/atomic-write.js'
import { messageOf } from './checkpoint-error.js'

/** Appends bytes to the file being written. */
export type Append = (bytes: Uint8Array) => Promise<void>

const LARGEST_WRITE = 1 << 30

/**
 * Writes a file piece by piece so that its path never holds half of it.
 *
 * @throws WriteError when the file cannot be written.
 */
export async function writePieces(path: string, write: (append: Append) => Promise<void>): Promise<void> {
  await writing(path, () => writeAtomically(path, (file) => write((bytes) => writeAll(file, bytes))))
}

/**
 * Runs work that writes to a file, or makes a folder.
 * @throws WriteError for any error but the package's own
 */
export async function writing<T>(
  path: string,
  work: () => Promise<T>,
  problem = 'cannot be written',
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof FoveaError) throw cause
    throw new WriteError(`${path}: ${problem}: ${messageOf(cause)}`, { subject: path, cause })
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const length = Math.min(bytes.byteLength - done, LARGEST_WRITE)
    done += (await file.write(bytes, done, length)).bytesWritten
  }
}
