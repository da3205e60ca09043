import type { FileHandle } from 'node:fs/promises'
import { FoveaError } from '../errors.js'
import { writeAtomically } from '../files/atomic-write.js'
import { malformed, messageOf } from './checkpoint-error.js'

/** Appends bytes to the file being written. */
export type Append = (bytes: Uint8Array) => Promise<void>

const LARGEST_WRITE = 1 << 30

/**
 * Writes a file piece by piece so that its path never holds half of it.
 *
 * @throws CheckpointError when the file cannot be written.
 */
export async function writePieces(path: string, write: (append: Append) => Promise<void>): Promise<void> {
  try {
    await writeAtomically(path, (file) => write((bytes) => writeAll(file, bytes)))
  } catch (cause) {
    if (cause instanceof FoveaError) throw cause
    throw malformed(path, `cannot be written: ${messageOf(cause)}`, { cause })
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const length = Math.min(bytes.byteLength - done, LARGEST_WRITE)
    done += (await file.write(bytes, done, length)).bytesWritten
  }
}
