import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { crc32, deflateRawSync } from 'node:zlib'

/** A run of zeros that takes no room on the disk. */
export interface Hole {
  hole: number
}

export type Part = Buffer | Hole

function sizeOf(part: Part): number {
  return 'hole' in part ? part.hole : part.length
}

/** Writes the parts one after the other. */
export function writeParts(path: string, parts: readonly Part[]): void {
  const descriptor = openSync(path, 'w')
  let position = 0
  for (const part of parts) {
    if (!('hole' in part)) writeSync(descriptor, part, 0, part.length, position)
    position += sizeOf(part)
  }
  ftruncateSync(descriptor, position)
  closeSync(descriptor)
}

export interface Member {
  name: string
  data: Part
  deflate?: boolean
  /** Sizes, sum and place only in the extra field of 64 bits. */
  zip64?: boolean
  /** What the directory says in place of the truth. */
  claims?: { compressed?: number; uncompressed?: number; crc?: number; method?: number; offset?: number }
}

/** Writes a zip archive, which may lie about its members or their number. */
export function writeZip(path: string, members: readonly Member[], claims: { entries?: number } = {}): void {
  const parts: Part[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, data, deflate = false, zip64 = false, claims = {} } of members) {
    const body = deflate && !('hole' in data) ? deflateRawSync(data) : data
    const sum = claims.crc ?? ('hole' in data ? 0 : crc32(data))
    const method = claims.method ?? (deflate ? 8 : 0)
    const compressed = claims.compressed ?? sizeOf(body)
    const uncompressed = claims.uncompressed ?? sizeOf(data)
    const place = claims.offset ?? offset
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50)
    local.writeUInt16LE(method, 8)
    local.writeUInt32LE(sum, 14)
    local.writeUInt32LE(Math.min(compressed, 0xffffffff), 18)
    local.writeUInt32LE(Math.min(uncompressed, 0xffffffff), 22)
    local.writeUInt16LE(name.length, 26)
    parts.push(local, Buffer.from(name), body)
    offset += local.length + name.length + sizeOf(body)

    const extra = Buffer.alloc(zip64 ? 28 : 0)
    if (zip64) {
      extra.writeUInt16LE(1)
      extra.writeUInt16LE(24, 2)
      extra.writeBigUInt64LE(BigInt(uncompressed), 4)
      extra.writeBigUInt64LE(BigInt(compressed), 12)
      extra.writeBigUInt64LE(BigInt(place), 20)
    }
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50)
    central.writeUInt16LE(method, 10)
    central.writeUInt32LE(sum, 16)
    central.writeUInt32LE(zip64 ? 0xffffffff : compressed, 20)
    central.writeUInt32LE(zip64 ? 0xffffffff : uncompressed, 24)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt16LE(extra.length, 30)
    central.writeUInt32LE(zip64 ? 0xffffffff : place, 42)
    directory.push(central, Buffer.from(name), extra)
  }
  const entries = BigInt(claims.entries ?? members.length)
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  const end = Buffer.alloc(56 + 20 + 22)
  end.writeUInt32LE(0x06064b50)
  end.writeBigUInt64LE(44n, 4)
  end.writeBigUInt64LE(entries, 24)
  end.writeBigUInt64LE(entries, 32)
  end.writeBigUInt64LE(BigInt(size), 40)
  end.writeBigUInt64LE(BigInt(offset), 48)
  end.writeUInt32LE(0x07064b50, 56)
  end.writeBigUInt64LE(BigInt(offset + size), 64)
  end.writeUInt32LE(1, 72)
  end.writeUInt32LE(0x06054b50, 76)
  end.fill(0xff, 84, 96)
  writeParts(path, [...parts, ...directory, end])
}

export interface PickledTensor {
  name: string
  shape: readonly number[]
  strides?: readonly number[]
  offset?: number
  key?: string
  /** Elements of the storage. */
  count?: number
  type?: string
}

/** A pickle of a dictionary of tensors, in the textual protocol 0. */
export function statePickle(tensors: readonly PickledTensor[], legacy = false): Buffer {
  const tuple = (numbers: readonly number[]): string => `(${numbers.map((n) => `I${n}\n`).join('')}t`
  const items = tensors.map(({ name, shape, strides, offset = 0, key = '0', count, type = 'Float' }) => {
    const elements = count ?? shape.reduce((a, b) => a * b, 1)
    const id = `(S'storage'\nctorch\n${type}Storage\nS'${key}'\nS'cpu'\nI${elements}\n${legacy ? 'N' : ''}tQ`
    const steps = strides ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))
    const args = `(${id}I${offset}\n${tuple(shape)}${tuple(steps)}I00\nccollections\nOrderedDict\n(tRt`
    return `S'${name}'\nctorch._utils\n_rebuild_tensor_v2\n${args}Rs`
  })
  return Buffer.from(`(d${items.join('')}.`)
}

/** The pickles of the stream format before the object, as PyTorch writes them. */
export const legacyStart = Buffer.concat([
  Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
  Buffer.from('80024de9032e', 'hex'),
  Buffer.from("(dS'little_endian'\nI01\ns."),
])

/** A count of 64 bits. */
export function int64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return bytes
}

/** A safetensors file with any header. */
export function safetensorsFile(header: unknown, dataBytes: number): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  return Buffer.concat([int64(json.length), json, Buffer.alloc(dataBytes, 1)])
}

/** Writes a tar archive. */
export function writeTar(path: string, members: Readonly<Record<string, readonly Part[]>>): void {
  const parts = Object.entries(members).flatMap(([name, contents]) => {
    const size = contents.reduce((sum, part) => sum + sizeOf(part), 0)
    return [tarHeader(name, size), ...contents, Buffer.alloc((512 - (size % 512)) % 512)]
  })
  writeParts(path, parts)
}

export function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512)
  header.write(name)
  header.write(size.toString(8).padStart(11, '0'), 124)
  header.write('ustar', 257)
  const sum = header.reduce((total, byte) => total + byte, 8 * 0x20)
  header.write(sum.toString(8).padStart(6, '0'), 148)
  return header
}

/** A storage of floats in the tar container. */
export function tarStorage(key: number, count: number, data: Part): Part[] {
  return [Buffer.from(`(I${key}\nS'cpu'\nctorch\nFloatStorage\nt.`), int64(count), data]
}

/** A tensor of floats in the tar container. */
export function tarTensor(
  key: number,
  storage: number,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): Buffer[] {
  const numbers = [shape.length, ...shape, ...strides, offset]
  return [Buffer.from(`(I${key}\nI${storage}\nctorch\nFloatTensor\nt.`), ...numbers.map(int64)]
}
