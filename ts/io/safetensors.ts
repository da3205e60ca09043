import { InvalidArgumentError, ShapeError } from '../errors.js'
import { elementCount, formatShape, type Shape } from '../tensor.js'
import { malformed, messageOf } from './checkpoint-error.js'
import { itemSize, type CheckpointDType } from './checkpoint-dtype.js'
import { countElements, isCount, layOut, type CheckpointTensor } from './checkpoint-tensor.js'
import type { RandomAccessFile } from './random-access.js'
import { writePieces } from './write-pieces.js'

/** The limit of the format's own reader. */
const MAX_HEADER_BYTES = 100_000_000
const PREFIX_BYTES = 8
const ALIGNMENT = 8
const METADATA = '__metadata__'

const dtypes = new Map<unknown, CheckpointDType>([
  ['F64', 'f64'],
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
  ['I64', 'i64'],
  ['U64', 'u64'],
  ['I32', 'i32'],
  ['U32', 'u32'],
  ['I16', 'i16'],
  ['U16', 'u16'],
  ['I8', 'i8'],
  ['U8', 'u8'],
  ['BOOL', 'bool'],
])

/** Whether a file that starts with `head` looks like safetensors: a length and then a JSON object. */
export function looksLikeSafetensors(head: Buffer): boolean {
  return head.length > PREFIX_BYTES && head[PREFIX_BYTES] === 0x7b
}

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: Map<string, CheckpointTensor>
  readonly metadata: Map<string, string>
}

/**
 * Reads the header of a safetensors file: a length, JSON, then the data, which the tensors must cover exactly.
 *
 * @throws CheckpointError when anything in the header is not as the format demands.
 */
export async function readSafetensors(file: RandomAccessFile): Promise<Safetensors> {
  const { path, size } = file
  const length = (await file.read(0, PREFIX_BYTES, 'the length of the header')).readBigUInt64LE()
  if (length > MAX_HEADER_BYTES)
    throw malformed(path, 'absurd header', {
      expected: `at most ${MAX_HEADER_BYTES} bytes`,
      got: String(length),
    })
  const header = parseHeader(path, await file.read(PREFIX_BYTES, Number(length), 'the header'))
  const start = PREFIX_BYTES + Number(length)
  const extents: { name: string; begin: number; end: number }[] = []
  const tensors = new Map<string, CheckpointTensor>()
  for (const [name, entry] of Object.entries(header)) {
    if (name === METADATA) continue
    const { dtype, shape, begin, end } = parseEntry(path, name, entry)
    extents.push({ name, begin, end })
    const region = file.region(start + begin, end - begin, `tensor "${name}"`)
    tensors.set(name, layOut(path, { name, shape, dtype, region, offset: 0 }))
  }
  checkCover(path, extents, size - start)
  return { tensors, metadata: parseMetadata(path, header[METADATA]) }
}

type Json = Record<string, unknown>

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseHeader(path: string, bytes: Buffer): Json {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw malformed(path, `the header is not JSON: ${messageOf(cause)}`, { cause })
  }
  if (!isJson(header)) throw malformed(path, 'the header is not a JSON object')
  return header
}

function parseEntry(
  path: string,
  name: string,
  entry: unknown,
): { dtype: CheckpointDType; shape: Shape; begin: number; end: number } {
  const { dtype: type, shape, data_offsets: offsets } = isJson(entry) ? entry : {}
  const dtype = dtypes.get(type)
  if (!dtype)
    throw malformed(path, `tensor "${name}" has an unknown type`, {
      expected: `one of ${[...dtypes.keys()].join(', ')}`,
      got: JSON.stringify(type),
    })
  if (!areCounts(shape) || !areCounts(offsets) || offsets.length !== 2)
    throw malformed(path, `tensor "${name}" has a bad entry`, {
      expected: 'a shape and two offsets',
      got: JSON.stringify(entry).slice(0, 200),
    })
  const [begin, end] = offsets as [number, number]
  const bytes = countElements(path, name, shape) * itemSize(dtype)
  if (end - begin !== bytes)
    throw malformed(path, `tensor "${name}" has the wrong size`, {
      expected: `${bytes} bytes for ${dtype} of shape ${formatShape(shape)}`,
      got: `offsets ${begin} to ${end}`,
    })
  return { dtype, shape, begin, end }
}

/** Neither holes nor overlaps: what nothing describes could smuggle anything, what two describe is a mistake. */
function checkCover(
  path: string,
  extents: { name: string; begin: number; end: number }[],
  size: number,
): void {
  let covered = 0
  for (const { name, begin, end } of extents.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered)
      throw malformed(path, `tensor "${name}" ${begin < covered ? 'overlaps another' : 'leaves a hole'}`, {
        expected: `offset ${covered}`,
        got: String(begin),
      })
    covered = end
  }
  if (covered !== size)
    throw malformed(path, 'the tensors do not cover the data', {
      expected: `${covered} bytes of data`,
      got: String(size),
    })
}

function parseMetadata(path: string, value: unknown = {}): Map<string, string> {
  if (!isJson(value)) throw malformed(path, `${METADATA} is not a JSON object`)
  const metadata = new Map<string, string>()
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw malformed(path, `${METADATA} "${key}" is wrong`, { expected: 'text', got: JSON.stringify(text) })
    metadata.set(key, text)
  }
  return metadata
}

function areCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount)
}

/** A tensor to write; its data may be fetched when their turn comes, so that not all are held at once. */
export type SafetensorsEntry = { readonly name: string; readonly shape: Shape } & (
  | { readonly dtype: 'f32'; readonly data: Float32Array | (() => Promise<Float32Array>) }
  | { readonly dtype: 'i64'; readonly data: BigInt64Array | (() => Promise<BigInt64Array>) }
)

const ITEM_BYTES = { f32: 4, i64: 8 } as const

function byteLength({ shape, dtype }: SafetensorsEntry): number {
  return elementCount(shape) * ITEM_BYTES[dtype]
}

/**
 * Writes a safetensors file atomically, tensor by tensor. The header keeps the given order; in the data the
 * 8-byte tensors come first, so that every tensor is aligned to its elements.
 *
 * @throws ShapeError when data do not fit their shape.
 * @throws InvalidArgumentError when a name is taken or reserved.
 * @throws WriteError when the file cannot be written.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<SafetensorsEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const entries = [...tensors]
  checkEntries(entries)
  const inFile = [
    ...entries.filter(({ dtype }) => dtype === 'i64'),
    ...entries.filter(({ dtype }) => dtype === 'f32'),
  ]
  const begins = new Map<string, number>()
  let end = 0
  for (const entry of inFile) {
    begins.set(entry.name, end)
    end += byteLength(entry)
  }
  const header = new Map<string, unknown>()
  if (Object.keys(metadata).length > 0) header.set(METADATA, metadata)
  for (const entry of entries) {
    const begin = begins.get(entry.name)!
    header.set(entry.name, {
      dtype: entry.dtype.toUpperCase(),
      shape: entry.shape,
      data_offsets: [begin, begin + byteLength(entry)],
    })
  }
  await writePieces(path, async (append) => {
    await append(headerBytes(header))
    for (const entry of inFile) {
      const data = typeof entry.data === 'function' ? await entry.data() : entry.data
      checkLength(entry, data.length)
      await append(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
  })
}

/** The length and the JSON, padded with blanks so that the data are aligned. */
function headerBytes(header: ReadonlyMap<string, unknown>): Buffer {
  // Written out by hand: an object would move names that are numbers to its front.
  const members = [...header].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
  const json = Buffer.from(`{${members.join(',')}}`)
  const padded = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT
  const bytes = Buffer.alloc(PREFIX_BYTES + padded, ' ')
  bytes.writeBigUInt64LE(BigInt(padded))
  json.copy(bytes, PREFIX_BYTES)
  return bytes
}

function checkEntries(entries: readonly SafetensorsEntry[]): void {
  const names = new Set([METADATA])
  for (const entry of entries) {
    const { name, data } = entry
    if (names.has(name))
      throw new InvalidArgumentError(
        `the name "${name}" is ${name === METADATA ? 'reserved' : 'there twice'}`,
        {
          subject: name,
        },
      )
    names.add(name)
    if (typeof data !== 'function') checkLength(entry, data.length)
  }
}

function checkLength({ name, shape }: SafetensorsEntry, length: number): void {
  if (elementCount(shape) !== length)
    throw new ShapeError(
      `tensor "${name}" of shape ${formatShape(shape)} needs ${elementCount(shape)} elements, got ${length}`,
      { subject: name, expected: String(elementCount(shape)), got: String(length) },
    )
}
