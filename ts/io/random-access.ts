import { fstatSync, type Stats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { DisposedError, FoveaError, OutOfMemoryError } from '../errors.js'
import { malformed, messageOf } from './checkpoint-error.js'

/** Linux and macOS refuse or cut single reads of 2 GiB and more. */
const LARGEST_READ = 1 << 30

/** A position in a file. */
export interface FilePlace {
  readonly file: RandomAccessFile
  readonly position: number
}

/** Consecutive bytes that can be read piecewise: a part of a file, or an inflated member of an archive. */
export interface Region {
  readonly byteLength: number
  /** Where the bytes lie as they are; absent where they are derived from those of a file. */
  readonly place?: FilePlace
  /** Fills `target` with the bytes from `offset` on. */
  readInto(target: Uint8Array, offset: number): Promise<void>
}

/** A file read at arbitrary positions; every read is checked against its size before memory is allocated. */
export class RandomAccessFile {
  #closed = false

  private constructor(
    readonly path: string,
    readonly size: number,
    /** Tells the file and its contents from others. */
    private readonly version: string,
    private readonly handle: FileHandle,
  ) {}

  /** @throws CheckpointError when there is no such regular file. */
  static async open(path: string): Promise<RandomAccessFile> {
    let handle: FileHandle | undefined
    try {
      // Opening a pipe would wait for its other end.
      if (!(await stat(path)).isFile())
        throw malformed(path, 'cannot be read', { expected: 'a file', got: 'something else' })
      handle = await open(path, 'r')
      const stats = await handle.stat()
      return new RandomAccessFile(path, stats.size, versionOf(stats), handle)
    } catch (cause) {
      await handle?.close()
      if (cause instanceof FoveaError) throw cause
      throw malformed(path, `cannot be opened: ${messageOf(cause)}`, { cause })
    }
  }

  /** Fills `target` with the bytes at `position`; `what` names them should the file be too short. */
  async readInto(target: Uint8Array, position: number, what: string): Promise<void> {
    this.#check(position, target.byteLength, what)
    for (let done = 0; done < target.byteLength;) {
      const length = Math.min(target.byteLength - done, LARGEST_READ)
      const { bytesRead } = await this.handle
        .read(target, done, length, position + done)
        .catch((cause: unknown) => {
          throw malformed(this.path, `cannot be read: ${messageOf(cause)}`, { cause })
        })
      if (bytesRead === 0) throw this.#truncated(position, target.byteLength, what, position + done)
      done += bytesRead
    }
  }

  /** The `length` bytes at `position`. */
  async read(position: number, length: number, what: string): Promise<Buffer> {
    this.#check(position, length, what)
    const bytes = Buffer.from(allocate(length, () => new ArrayBuffer(length)))
    await this.readInto(bytes, position, what)
    return bytes
  }

  /** The part of the file from `start` on. @throws CheckpointError when it reaches beyond the end. */
  region(start: number, byteLength: number, what: string): Region {
    this.#check(start, byteLength, what)
    return {
      byteLength,
      place: { file: this, position: start },
      readInto: (target, offset) => this.readInto(target, start + offset, what),
    }
  }

  /** The file's number in this process, while it is open. */
  get fd(): number {
    return this.handle.fd
  }

  /** The same file, open for longer than this one; null when it is not there any more as it was. */
  async reopen(): Promise<RandomAccessFile | null> {
    const again = await RandomAccessFile.open(this.path).catch(() => null)
    if (again?.version === this.version) return again
    await again?.close()
    return null
  }

  /** @throws CheckpointError when the file has changed since it was opened */
  checkUnchanged(): void {
    if (versionOf(fstatSync(this.fd)) !== this.version)
      throw malformed(this.path, 'has changed since its weights were loaded')
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.handle.close()
  }

  #check(position: number, length: number, what: string): void {
    if (this.#closed) throw new DisposedError(`${this.path} is closed`, { subject: this.path })
    if (!(position >= 0 && length >= 0 && position + length <= this.size))
      throw this.#truncated(position, length, what, this.size)
  }

  #truncated(position: number, length: number, what: string, end: number): Error {
    return malformed(this.path, `the file ends within ${what}`, {
      expected: `${length} bytes at ${position}`,
      got: `a file of ${end} bytes`,
    })
  }
}

function versionOf({ dev, ino, size, mtimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs].join(' ')
}

/** A part of a region, which must hold it. */
export function slice(region: Region, start: number, byteLength: number): Region {
  if (start === 0 && byteLength === region.byteLength) return region
  const { place } = region
  return {
    byteLength,
    ...(place ? { place: { ...place, position: place.position + start } } : {}),
    readInto: (target, offset) => region.readInto(target, start + offset),
  }
}

/** Runs an allocation of `bytes` bytes, turning the engine's RangeError into an {@link OutOfMemoryError}. */
export function allocate<T>(bytes: number, create: () => T): T {
  try {
    return create()
  } catch (cause) {
    throw new OutOfMemoryError(`cannot allocate ${bytes} bytes of memory`, { cause })
  }
}
