import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeSafetensors, type SafetensorsEntry } from '../../ts/io/safetensors.js'
import { int64, safetensorsFile, writeParts } from './builders.js'
import { cifar, failure, failureOf, put, readAll, temporaryFolder, withCheckpoint } from './files.js'

const folder = temporaryFolder()
const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]): object => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
})

describe('the header of a safetensors file', () => {
  const check = async (header: unknown, dataBytes: number): Promise<string> => {
    const error = await failure(put(folder, 'header.safetensors', safetensorsFile(header, dataBytes)))
    expect(error).toMatchObject({ name: 'CheckpointError', code: 'CHECKPOINT_FORMAT' })
    expect(error.message).toContain('header.safetensors: ')
    return error.message
  }

  it('may have blanks behind it, tensors in any order, and no tensors at all', async () => {
    const read = async (header: string, bytes: number): Promise<string[]> => [
      ...(await readAll(put(folder, 'good.safetensors', safetensorsFile(header, bytes)))).keys(),
    ]
    expect(await read(`${JSON.stringify({ b: f32(8, 12), a: f32(0, 8), e: f32(12, 12) })}   `, 12)).toEqual([
      'b',
      'a',
      'e',
    ])
    expect(await read('{}', 0)).toEqual([])
    expect(await read(JSON.stringify({ __proto__x: f32(0, 4), constructor: f32(4, 8) }), 8)).toHaveLength(2)
  })

  it('may be of any length, whatever other format its first byte is the mark of', async () => {
    for (let length = 64; length < 64 + 256; length++) {
      const header = JSON.stringify({ a: f32(0, 4) }).padEnd(length)
      const path = put(folder, 'length.safetensors', safetensorsFile(header, 4))
      const format = await withCheckpoint(path, (checkpoint) => Promise.resolve(checkpoint.format))
      expect(format, String(length)).toBe('safetensors')
    }
  })

  it.each<[string, unknown, number, RegExp]>([
    ['a hole at the start', { a: f32(4, 8) }, 8, /"a" leaves a hole: expected offset 0, got 4/],
    [
      'a hole in the middle',
      { a: f32(0, 4), b: f32(8, 12) },
      12,
      /"b" leaves a hole: expected offset 4, got 8/,
    ],
    ['data behind the last tensor', { a: f32(0, 4) }, 8, /expected 4 bytes of data, got 8/],
    ['an overlap', { a: f32(0, 8), b: f32(4, 12) }, 12, /"b" overlaps another/],
    ['two names for the same data', { a: f32(0, 8), b: f32(0, 8) }, 8, /"b" overlaps another/],
    ['a tensor beyond the end', { a: f32(0, 40) }, 12, /tensor "a"/],
    [
      'a size that does not fit the shape',
      { a: f32(0, 12, [4]) },
      12,
      /expected 16 bytes for f32 of shape \[4\]/,
    ],
    ['offsets in the wrong order', { a: f32(4, 0, [1]) }, 4, /"a" has the wrong size/],
    ['a negative size', { a: f32(0, 4, [-1, -1]) }, 4, /"a" has a bad entry/],
    ['a fractional size', { a: f32(0, 4, [0.5, 2]) }, 4, /"a" has a bad entry/],
    ['a shape beyond all', { a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4, /"a" has an impossible shape/],
    ['no shape', { a: { dtype: 'F32', data_offsets: [0, 4] } }, 4, /"a" has a bad entry/],
    ['three offsets', { a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 4, /"a" has a bad entry/],
    ['an unknown type', { a: { ...f32(0, 4), dtype: 'F33' } }, 4, /expected one of F64, .*, got "F33"/],
    ['an entry that is a list', { a: [] }, 0, /"a" has an unknown type/],
    [
      'metadata that are no texts',
      { __metadata__: { epoch: 3 }, a: f32(0, 4) },
      4,
      /"epoch".*expected text, got 3/,
    ],
    ['metadata that are a list', { __metadata__: [] }, 0, /__metadata__ is not a JSON object/],
    ['no JSON', '{"a": ', 0, /header is not JSON/],
    [
      'invalid UTF-8',
      Buffer.from('{"\xff":1}', 'latin1').toString('latin1').replace('\xff', '\ud800'),
      0,
      /"/,
    ],
  ])('is refused with %s', async (_, header, bytes, message) => {
    expect(await check(header, bytes)).toMatch(message)
  })

  it('is refused with bytes that are not UTF-8', async () => {
    const bytes = Buffer.from('{"\xff":1}', 'latin1')
    const path = put(folder, 'latin.safetensors', Buffer.concat([int64(bytes.length), bytes]))
    expect((await failure(path)).message).toMatch(/header is not JSON.*encoded data was not valid/)
  })

  it('is refused when absurdly long, before it is read', async () => {
    const path = join(folder, 'long.safetensors')
    for (const length of [100_000_001n, 2n ** 62n, -1n]) {
      writeParts(path, [int64(length), Buffer.from('{'), { hole: 200_000_000 }])
      expect((await failure(path)).message).toMatch(
        /absurd header: expected at most 100000000 bytes, got \d+/,
      )
    }
  })

  it('is refused when it nests absurdly deep', async () => {
    const path = put(folder, 'deep.safetensors', safetensorsFile(`{"a":${'['.repeat(1_000_000)}`, 0))
    expect(await failure(path)).toMatchObject({ code: 'CHECKPOINT_FORMAT' })
  })
})

describe('a written safetensors file', () => {
  const entries = [
    { name: 'conv.weight', shape: [3, 1], dtype: 'f32', data: new Float32Array([1.5, NaN, -0]) },
    { name: 'count', shape: [], dtype: 'i64', data: new BigInt64Array([2n ** 60n + 1n]) },
    { name: '7', shape: [0, 5], dtype: 'f32', data: new Float32Array(0) },
    { name: 'ü "quoted"', shape: [2], dtype: 'f32', data: new Float32Array([9, 8, 7, 6]).subarray(1, 3) },
    { name: 'counts', shape: [2], dtype: 'i64', data: new BigInt64Array([-1n, 5n]) },
  ] as const satisfies readonly SafetensorsEntry[]

  it('reads back with its names in order, its values and its texts', async () => {
    const path = join(folder, 'written.safetensors')
    await writeSafetensors(path, entries, { epoch: '7', 'key "ü"': 'line\nline' })
    await withCheckpoint(path, async ({ tensors, metadata, format }) => {
      expect(format).toBe('safetensors')
      expect([...metadata]).toEqual([
        ['epoch', '7'],
        ['key "ü"', 'line\nline'],
      ])
      expect(new Set(tensors.keys())).toEqual(new Set(entries.map(({ name }) => name)))
      for (const { name, shape, dtype, data } of entries) {
        const tensor = tensors.get(name)!
        expect(tensor).toMatchObject({ shape, dtype })
        expect(dtype === 'f32' ? await tensor.read() : await tensor.readInt64()).toEqual(data.slice())
      }
    })
  })

  it('has the bytes that the format asks for, every tensor aligned', async () => {
    const path = join(folder, 'bytes.safetensors')
    await writeSafetensors(path, [
      { name: 'a', shape: [1], dtype: 'f32', data: new Float32Array([1]) },
      { name: 'n', shape: [], dtype: 'i64', data: new BigInt64Array([3n]) },
    ])
    const bytes = readFileSync(path)
    const header =
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}'
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8)
    expect(Number(bytes.readBigUInt64LE())).toBe(padded.length)
    expect(bytes.toString('utf8', 8, 8 + padded.length)).toBe(padded)
    expect(bytes.toString('hex', 8 + padded.length)).toBe('0300000000000000' + '0000803f')
  })

  it('of a whole network is equal to what was read', async () => {
    const path = join(folder, 'resnet20.safetensors')
    const source = await readAll(cifar('resnet20.safetensors'))
    await withCheckpoint(cifar('resnet20.safetensors'), async ({ tensors }) => {
      const copies = [...tensors.values()].map(async ({ name, shape, dtype }): Promise<SafetensorsEntry> => {
        const tensor = tensors.get(name)!
        return dtype === 'i64'
          ? { name, shape, dtype, data: await tensor.readInt64() }
          : { name, shape, dtype: 'f32', data: await tensor.read() }
      })
      await writeSafetensors(path, await Promise.all(copies))
    })
    expect(await readAll(path)).toEqual(source)
  })

  it('replaces the old file only once it is complete', async () => {
    const inner = join(folder, 'atomic')
    mkdirSync(inner)
    const path = join(inner, 'net.safetensors')
    await writeSafetensors(path, entries)
    const before = readFileSync(path)
    const broken = {
      ...entries[0],
      name: 'broken',
      get data(): Float32Array {
        throw new Error('the device is gone')
      },
    } as SafetensorsEntry
    const late: SafetensorsEntry = { name: 'late', shape: [3], dtype: 'f32', data: new Float32Array(3) }
    // Its data can be looked at, but not written.
    Object.defineProperty(late.data, 'byteOffset', { value: -1 })
    await expect(writeSafetensors(path, [broken])).rejects.toThrow('the device is gone')
    expect(await failureOf(writeSafetensors(path, [entries[0], late]))).toMatchObject({
      name: 'WriteError',
      message: expect.stringContaining(`${path}: cannot be written`) as string,
    })
    expect(readFileSync(path)).toEqual(before)
    expect(readdirSync(inner)).toEqual(['net.safetensors'])
  })

  it('is refused where nothing can be written', async () => {
    const error = await failureOf(writeSafetensors(join(folder, 'no', 'such', 'folder.safetensors'), entries))
    expect(error).toMatchObject({ name: 'WriteError', code: 'WRITE' })
    expect(error.message).toMatch(/folder\.safetensors: cannot be written: ENOENT/)
    const blocked = join(folder, 'blocked.safetensors')
    mkdirSync(blocked)
    expect((await failureOf(writeSafetensors(blocked, entries))).message).toMatch(/cannot be written/)
    expect(readdirSync(folder).filter((name) => name.includes('.tmp'))).toEqual([])
  })

  it('is refused with data that do not fit, or names that are taken', async () => {
    const path = join(folder, 'refused.safetensors')
    const [first] = entries
    expect(await failureOf(writeSafetensors(path, [{ ...first, shape: [4] }]))).toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: 'tensor "conv.weight" of shape [4] needs 4 elements, got 3',
    })
    expect(await failureOf(writeSafetensors(path, [first, first]))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(await failureOf(writeSafetensors(path, [{ ...first, name: '__metadata__' }]))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(existsSync(path)).toBe(false)
  })
})
