import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DisposedError, InvalidArgumentError } from '../../ts/errors.js'
import { exportedLiteral } from '../../ts/io/script-literal.js'
import { openTfjs } from '../../ts/io/tfjs.js'
import { kerasFolder } from '../support/keras.js'
import { temporaryFolder } from './files.js'
import { fixture, literal, put, umd, writeModel, writeScripts, type WeightSpec } from './tfjs-files.js'

const folder = temporaryFolder()

const topology = { class_name: 'Sequential', config: { name: 'empty', layers: [] } }

const model = (weights: readonly WeightSpec[], paths = ['weights.bin']): unknown => ({
  format: 'layers-model',
  modelTopology: topology,
  weightsManifest: [{ paths, weights }],
})

/** All tensors of a layers model. */
async function readAll(path: string): Promise<Map<string, number[]>> {
  await using file = await openTfjs(path)
  const values = new Map<string, number[]>()
  for (const [name, tensor] of file.tensors) values.set(name, [...(await tensor.read())])
  return values
}

describe('element types', () => {
  const bytes = (array: { buffer: ArrayBufferLike }): Buffer => Buffer.from(array.buffer)
  const half = (...bits: number[]): Buffer => bytes(Uint16Array.from(bits))

  test.each<{ what: string; spec: Omit<WeightSpec, 'name' | 'shape'>; stored: Buffer; values: number[] }>([
    {
      what: 'float32',
      spec: { dtype: 'float32' },
      stored: bytes(Float32Array.of(-1.5, 0, 3e38)),
      values: [-1.5, 0, Math.fround(3e38)],
    },
    {
      what: 'int32',
      spec: { dtype: 'int32' },
      stored: bytes(Int32Array.of(-7, 0, 70_000)),
      values: [-7, 0, 70_000],
    },
    { what: 'uint8', spec: { dtype: 'uint8' }, stored: Buffer.of(0, 128, 255), values: [0, 128, 255] },
    { what: 'bool', spec: { dtype: 'bool' }, stored: Buffer.of(0, 1, 2), values: [0, 1, 1] },
    {
      what: 'float32 quantised to uint8',
      spec: { dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.25, min: -8 } },
      stored: Buffer.of(0, 1, 255),
      values: [-8, -7.75, 55.75],
    },
    {
      what: 'float32 quantised to uint16',
      spec: { dtype: 'float32', quantization: { dtype: 'uint16', scale: 0.001, min: -1 } },
      stored: half(0, 1000, 65535),
      values: [-1, 0, Math.fround(64.535)],
    },
    {
      what: 'float32 quantised to float16',
      spec: { dtype: 'float32', quantization: { dtype: 'float16' } },
      stored: half(0x3c00, 0xc100, 0x0001),
      values: [1, -2.5, 2 ** -24],
    },
    {
      what: 'int32 quantised to uint8',
      spec: { dtype: 'int32', quantization: { dtype: 'uint8', scale: 0.5, min: -3.2 } },
      stored: Buffer.of(0, 7, 200),
      values: [-3, 0, 97],
    },
  ])('$what', async ({ spec, stored, values }) => {
    const path = writeModel(folder, model([{ name: 'a/x', shape: [3], ...spec }]), { 'weights.bin': stored })
    expect([...(await readAll(path)).values()][0]!.map((value) => value + 0)).toEqual(values)
  })

  test('whole numbers are read exactly, quantised ones are refused', async () => {
    const weights = [
      { name: 'plain', shape: [2], dtype: 'int32' },
      {
        name: 'quantised',
        shape: [2],
        dtype: 'int32',
        quantization: { dtype: 'uint8', scale: 1, min: 0 },
      },
    ]
    const stored = Buffer.concat([Buffer.from(Int32Array.of(2 ** 30 + 1, -5).buffer), Buffer.of(1, 2)])
    await using file = await openTfjs(writeModel(folder, model(weights), { 'weights.bin': stored }))
    expect(await file.tensors.get('plain')!.readInt64()).toEqual(BigInt64Array.of(2n ** 30n + 1n, -5n))
    await expect(file.tensors.get('quantised')!.readInt64()).rejects.toThrow(InvalidArgumentError)
  })
})

describe('files', () => {
  test('format, path, topology, names and shapes', async () => {
    await using file = await openTfjs(kerasFolder('tfjs_sequential'))
    expect(file.format).toBe('tfjs')
    expect(file.path).toBe(join(kerasFolder('tfjs_sequential'), 'model.json'))
    expect(file.topology).toEqual(fixture('tfjs_sequential').document.modelTopology)
    expect(file.tensors.get('conv1/kernel')).toMatchObject({ shape: [3, 3, 1, 3], dtype: 'f32' })
  })

  test.each([[[0]], [[1, 2, 3]], [[100, 100, 101, 333]]])('shards cut at %j', async (cuts) => {
    const { document, weights } = fixture('tfjs_sequential')
    const edges = [0, ...cuts, weights.length]
    const shards = Object.fromEntries(
      edges.slice(1).map((end, i) => [`parts/shard${i}`, weights.subarray(edges[i], end)]),
    )
    document.weightsManifest[0]!.paths = Object.keys(shards)
    const expected = await readAll(kerasFolder('tfjs_sequential'))
    expect(await readAll(writeModel(folder, document, shards))).toEqual(expected)
    expect(await readAll(writeScripts(folder, document, shards))).toEqual(expected)
  })

  test('several groups', async () => {
    const document = {
      modelTopology: topology,
      weightsManifest: [
        { paths: ['one'], weights: [{ name: 'a', shape: [2], dtype: 'uint8' }] },
        { paths: ['two'], weights: [{ name: 'b', shape: [], dtype: 'uint8' }] },
        { paths: [], weights: [{ name: 'c', shape: [0], dtype: 'uint8' }] },
      ],
    }
    const path = writeModel(folder, document, { one: Buffer.of(1, 2), two: Buffer.of(3) })
    expect([...(await readAll(path))]).toEqual([
      ['a', [1, 2]],
      ['b', [3]],
      ['c', []],
    ])
  })

  test('a shard of half a gigabyte is not read before it is asked for', async () => {
    const size = 1 << 29
    const weights = [
      { name: 'large', shape: [size - 4], dtype: 'uint8' },
      { name: 'small', shape: [1], dtype: 'float32' },
    ]
    const path = writeModel(folder, model(weights))
    const shard = openSync(join(path, 'weights.bin'), 'w')
    ftruncateSync(shard, size)
    writeSync(shard, new Uint8Array(Float32Array.of(42).buffer), 0, 4, size - 4)
    closeSync(shard)
    const before = process.memoryUsage().rss
    await using file = await openTfjs(path)
    expect(await file.tensors.get('small')!.read()).toEqual(Float32Array.of(42))
    expect(process.memoryUsage().rss - before).toBeLessThan(1 << 26)
  })

  test('closed', async () => {
    const file = await openTfjs(kerasFolder('tfjs_sequential'))
    await file.close()
    await file.close()
    await expect(file.tensors.get('conv1/kernel')!.read()).rejects.toThrow(DisposedError)
  })
})

describe('scripts', () => {
  const parse = (text: string): unknown => exportedLiteral('script.js', text)

  test('all that minifiers write', () => {
    const value = {
      t: true,
      f: false,
      n: null,
      numbers: [0, -0.5, 0.25, 1e-7, 3e21, -12],
      'a-b': 'it\'s "quoted" \\ \u00e9\n',
      nested: [[], {}, [{ $_1: [1] }]],
    }
    expect(parse(umd('model', literal(value)))).toEqual(value)
    expect(parse(`export default ${JSON.stringify(value)}`)).toEqual(value)
    expect(parse("module.exports = {a: '\\x41\\u0042\\'', 2: [+1, 5., ], 'q': .5e+1,};")).toEqual({
      a: "AB'",
      2: [1, 5],
      q: 5,
    })
  })

  test('nothing is executed', () => {
    const marked = globalThis as { marked?: boolean }
    expect(parse('globalThis.marked = true; exports = {a: 1}; globalThis.marked = true')).toEqual({ a: 1 })
    for (const text of ['{a: (globalThis.marked = true)}', '{a: f()}', '[`${f()}`]', '{get a(){}}', '{a, b}'])
      expect(() => parse(`exports = ${text}`)).toThrow(/script\.js: the script is damaged at character \d+/)
    expect(marked.marked).toBeUndefined()
  })

  test('a key __proto__ is a key', () => {
    const value = parse('exports = {__proto__: {polluted: 1}}') as object
    expect(Object.keys(value)).toEqual(['__proto__'])
    expect('polluted' in value).toBe(false)
  })

  test('a single script names its model file', async () => {
    const { document, weights } = fixture('tfjs_sequential')
    const path = writeScripts(folder, document, { 'group1-shard1of1.bin': weights })
    put(join(path, 'renamed.min.js'), umd('model', literal(document)))
    expect(await readAll(join(path, 'renamed.min.js'))).toEqual(await readAll(kerasFolder('tfjs_sequential')))
  })
})
