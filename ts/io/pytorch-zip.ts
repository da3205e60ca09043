import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { fromRandomAccessReaderPromise, RandomAccessReader, type Entry, type ZipFile } from 'yauzl'
import { FoveaError } from '../errors.js'
import { malformed, messageOf } from './checkpoint-error.js'
import { itemSize } from './checkpoint-dtype.js'
import type { CheckpointTensor } from './checkpoint-tensor.js'
import { unpickle } from './pickle.js'
import type { RandomAccessFile, Region } from './random-access.js'
import {
  layOutAll,
  MAX_PICKLE_BYTES,
  stateDict,
  storageRef,
  torchGlobals,
  type StorageRef,
} from './torch-pickle.js'

const MAX_ENTRIES = 1 << 18
const STORED = 0
const DEFLATED = 8
/** Deflate cannot shrink data further: a larger claim about a member is a lie. */
const MAX_DEFLATE_RATIO = 1032
const CHUNK = 1 << 16

/**
 * Reads the container of PyTorch 1.6 and later: a zip archive with the pickle `data.pkl` and each storage as a
 * member `data/KEY`, uncompressed, so that tensors are read from their place in the file.
 */
export async function readPytorchZip(file: RandomAccessFile): Promise<Map<string, CheckpointTensor>> {
  const archive = await Archive.open(file)
  const root = archive.root
  if (archive.has(`${root}byteorder`)) {
    const order = (await archive.read(`${root}byteorder`, 16)).toString().trim()
    if (order !== 'little')
      throw malformed(file.path, 'unsupported byte order', { expected: 'little', got: order })
  }
  const source = `${file.path} (data.pkl)`
  const pickle = await archive.read(`${root}data.pkl`, MAX_PICKLE_BYTES)
  const { value } = unpickle(pickle, {
    source,
    resolve: torchGlobals(source),
    persistentLoad: (id) => storageRef(source, id),
  })
  return layOutAll(file.path, stateDict(source, value), (storage) => storageRegion(archive, storage))
}

function storageRegion(archive: Archive, { key, count, dtype }: StorageRef): Region {
  const region = archive.region(`${archive.root}data/${key}`)
  if (region.byteLength !== count * itemSize(dtype))
    throw malformed(archive.path, `storage ${key} has the wrong size`, {
      expected: `${count * itemSize(dtype)} bytes (${count} of ${dtype})`,
      got: String(region.byteLength),
    })
  return region
}

/** The members of a zip archive, by name. */
class Archive {
  private constructor(
    private readonly file: RandomAccessFile,
    private readonly zip: ZipFile,
    private readonly entries: ReadonlyMap<string, Entry>,
    /** The folder of the archive that holds everything, with its slash. */
    readonly root: string,
  ) {}

  static async open(file: RandomAccessFile): Promise<Archive> {
    const entries = new Map<string, Entry>()
    try {
      const zip = await fromRandomAccessReaderPromise(new Reader(file), file.size, { autoClose: false })
      for await (const entry of zip.eachEntry()) {
        if (entries.size >= MAX_ENTRIES) throw new Error(`more than ${MAX_ENTRIES} members`)
        if (entries.has(entry.fileName)) throw new Error(`member "${entry.fileName}" is there twice`)
        entries.set(entry.fileName, entry)
      }
      return new Archive(file, zip, entries, rootOf(file.path, [...entries.keys()]))
    } catch (error) {
      throw damaged(file.path, 'damaged or cut off zip archive', error)
    }
  }

  get path(): string {
    return this.file.path
  }

  has(name: string): boolean {
    return this.entries.has(name)
  }

  /** The whole of a small member. */
  async read(name: string, limit: number): Promise<Buffer> {
    const region = this.region(name)
    if (region.byteLength > limit)
      throw malformed(this.path, `absurd size of "${name}"`, {
        expected: `at most ${limit} bytes`,
        got: String(region.byteLength),
      })
    const bytes = Buffer.from(new ArrayBuffer(region.byteLength))
    await region.readInto(bytes, 0)
    return bytes
  }

  /** The contents of a member. @throws CheckpointError when its sizes cannot be true. */
  region(name: string): Region {
    const entry = this.entries.get(name)
    if (!entry) throw malformed(this.path, `the archive has no member "${name}"`)
    const { compressionMethod, compressedSize, uncompressedSize, relativeOffsetOfLocalHeader } = entry
    if (entry.isEncrypted() || (compressionMethod !== STORED && compressionMethod !== DEFLATED))
      throw malformed(this.path, `cannot unpack "${name}"`, {
        expected: 'a stored or deflated member',
        got: entry.isEncrypted() ? 'an encrypted one' : `compression method ${compressionMethod}`,
      })
    if (relativeOffsetOfLocalHeader + compressedSize > this.file.size)
      throw malformed(this.path, `the file ends within "${name}"`, {
        expected: `${compressedSize} bytes after ${relativeOffsetOfLocalHeader}`,
        got: `a file of ${this.file.size} bytes`,
      })
    if (uncompressedSize > compressedSize * MAX_DEFLATE_RATIO)
      throw malformed(this.path, `the size of "${name}" is a lie`, {
        expected: `at most ${compressedSize * MAX_DEFLATE_RATIO} bytes`,
        got: String(uncompressedSize),
      })
    return {
      byteLength: uncompressedSize,
      readInto: async (target, offset) => {
        try {
          if (compressionMethod === STORED) await this.#copy(entry, target, offset)
          else await this.#inflate(entry, target, offset)
        } catch (error) {
          throw damaged(this.path, `damaged member "${name}"`, error)
        }
        // PyTorch can be told to leave the sums out, which makes them 0.
        if (target.byteLength === uncompressedSize && entry.crc32 !== 0 && crc32(target) !== entry.crc32)
          throw malformed(this.path, `damaged member "${name}"`, {
            expected: `check sum ${entry.crc32.toString(16)}`,
            got: crc32(target).toString(16),
          })
      },
    }
  }

  async #copy(entry: Entry, target: Uint8Array, offset: number): Promise<void> {
    const { fileDataStart } = await this.zip.readLocalFileHeaderPromise(entry, { minimal: true })
    await this.file.readInto(target, fileDataStart + offset, `"${entry.fileName}"`)
  }

  /** Inflates the whole member, because only then its sizes are checked, and keeps the part asked for. */
  async #inflate(entry: Entry, target: Uint8Array, offset: number): Promise<void> {
    let position = -offset
    for await (const chunk of (await this.zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
      const wanted = chunk.subarray(Math.max(0, -position), Math.max(0, target.byteLength - position))
      if (wanted.byteLength > 0) target.set(wanted, Math.max(0, position))
      position += chunk.byteLength
    }
  }
}

/** Lets the zip library read through the checks of {@link RandomAccessFile}. */
class Reader extends RandomAccessReader {
  constructor(private readonly file: RandomAccessFile) {
    super()
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.file.readInto(buffer.subarray(offset, offset + length), position, 'the zip archive').then(
      () => callback(null),
      (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error))),
    )
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(chunks(this.file, start, end))
  }
}

async function* chunks(file: RandomAccessFile, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; at += CHUNK)
    yield file.read(at, Math.min(CHUNK, end - at), 'the zip archive')
}

function rootOf(path: string, names: readonly string[]): string {
  const [pickle, ...others] = names.filter((name) => /^(?:[^/]+\/)?data\.pkl$/.test(name))
  if (pickle === undefined || others.length > 0)
    throw malformed(path, 'not a PyTorch archive', {
      expected: 'one member "data.pkl"',
      got: pickle === undefined ? `members ${names.slice(0, 8).join(', ')}` : 'several',
    })
  return pickle.slice(0, -'data.pkl'.length)
}

function damaged(path: string, problem: string, cause: unknown): Error {
  if (cause instanceof FoveaError) return cause
  return malformed(path, `${problem}: ${messageOf(cause)}`, { cause })
}
