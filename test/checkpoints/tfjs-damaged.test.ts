import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ErrorCode, FoveaError } from '../../ts/errors.js'
import { openTfjs } from '../../ts/io/tfjs.js'
import { failureOf, temporaryFolder } from './files.js'
import { literal, put, umd, writeModel, type WeightSpec } from './tfjs-files.js'

const folder = temporaryFolder()

const topology = { class_name: 'Sequential', config: { name: 'empty', layers: [] } }

/** Opens a model and reads all of it. */
function failure(path: string): Promise<FoveaError> {
  return failureOf(
    (async () => {
      await using file = await openTfjs(path)
      for (const tensor of file.tensors.values()) await tensor.read()
    })(),
  )
}

async function expectFailure(path: string, code: ErrorCode, message: RegExp): Promise<void> {
  const error = await failure(path)
  expect(error.message).toMatch(message)
  expect(error.code).toBe(code)
}

const one: WeightSpec = { name: 'a/x', shape: [2], dtype: 'float32' }

const manifest = (...weights: unknown[]): unknown => ({
  modelTopology: topology,
  weightsManifest: [{ paths: ['w'], weights }],
})

describe('files', () => {
  test('no file', () =>
    expectFailure(join(folder, 'none.json'), 'CHECKPOINT_FORMAT', /none\.json: cannot be/))

  test('a folder without a model', () =>
    expectFailure(folder, 'CHECKPOINT_FORMAT', /holds no model: expected one of model\.json, model\.min\.js/))

  test('a missing shard', () =>
    expectFailure(writeModel(folder, manifest(one)), 'CHECKPOINT_FORMAT', /w: cannot be opened: ENOENT/))

  test.each([0, 7, 9])('a shard of %i bytes in place of 8', (size) =>
    expectFailure(
      writeModel(folder, manifest(one), { w: new Uint8Array(size) }),
      'CHECKPOINT_FORMAT',
      new RegExp(`do not fit the weightsManifest: expected 8 bytes, got ${size}`),
    ),
  )

  test.each(['', 'not json', '{"modelTopology": ', '[1]', '"text"', '{"a": 1}}'])(
    'the text %j',
    async (text) => {
      const path = put(join(folder, 'text', 'model.json'), text)
      expect((await failure(path)).code).toBe('CHECKPOINT_FORMAT')
    },
  )

  test.each(['../w', '/etc/passwd', 'a/../../w', 'C:\\w', 'https://example.org/w', ''])(
    'a shard at %j is refused',
    (path) =>
      expectFailure(
        writeModel(folder, { modelTopology: topology, weightsManifest: [{ paths: [path], weights: [] }] }),
        'CHECKPOINT_FORMAT',
        /paths of files beside the model/,
      ),
  )
})

describe('documents', () => {
  test.each([
    { format: 'graph-model', modelTopology: {}, weightsManifest: [] },
    { modelTopology: { node: [], library: {} }, weightsManifest: [] },
  ])('a graph model', (document) =>
    expectFailure(writeModel(folder, document), 'UNSUPPORTED', /graph model of TensorFlow\.js/),
  )

  test.each([undefined, null, 'text', []])('modelTopology %j', (modelTopology) =>
    expectFailure(
      writeModel(folder, { modelTopology, weightsManifest: [] }),
      'CHECKPOINT_FORMAT',
      /no modelTopology: expected an object/,
    ),
  )

  test.each([
    undefined,
    null,
    {},
    'text',
    [1],
    [{}],
    [{ paths: 'w', weights: [] }],
    [{ paths: [1], weights: [] }],
  ])('weightsManifest %j', (weightsManifest) =>
    expectFailure(
      writeModel(folder, { modelTopology: topology, weightsManifest }),
      'CHECKPOINT_FORMAT',
      /weightsManifest is wrong/,
    ),
  )

  test.each([
    null,
    { ...one, name: undefined },
    { ...one, shape: undefined },
    { ...one, shape: [-1] },
    { ...one, shape: [1.5] },
    { ...one, shape: ['2'] },
  ])('a tensor %j', (weight) =>
    expectFailure(
      writeModel(folder, manifest(weight)),
      'CHECKPOINT_FORMAT',
      /a tensor of the weightsManifest is wrong/,
    ),
  )

  test('a shape beyond all bounds', () =>
    expectFailure(
      writeModel(folder, manifest({ ...one, shape: [2 ** 40, 2 ** 40] })),
      'CHECKPOINT_FORMAT',
      /"a\/x" has an impossible shape/,
    ))

  test('two tensors of one name', () =>
    expectFailure(writeModel(folder, manifest(one, one)), 'CHECKPOINT_FORMAT', /has "a\/x" twice/))

  test.each([
    { ...one, dtype: 'string' },
    { ...one, dtype: 'complex64' },
    { ...one, dtype: undefined },
    { ...one, quantization: { dtype: 'float32', scale: 1, min: 0 } },
    { ...one, quantization: { dtype: 'int4', scale: 1, min: 0 } },
    { ...one, quantization: null },
  ])('the element type of %j', (weight) =>
    expectFailure(writeModel(folder, manifest(weight)), 'UNSUPPORTED', /tensor "a\/x" is stored as/),
  )

  test.each([
    { dtype: 'uint8' },
    { dtype: 'uint8', scale: 1 },
    { dtype: 'uint8', scale: '1', min: 0 },
    { dtype: 'uint16', scale: null, min: 0 },
  ])('the quantization %j', (quantization) =>
    expectFailure(
      writeModel(folder, manifest({ ...one, quantization })),
      'CHECKPOINT_FORMAT',
      /quantization of tensor "a\/x" \[2\] is wrong: expected scale and min/,
    ),
  )
})

describe('scripts', () => {
  const script = (text: string): string => put(join(folder, 'script', 'model.js'), text)

  test.each([
    ['nothing to export', 'console.log(1)', /exports no literal/],
    ['a call', 'module.exports = require("x")', /exports no literal/],
    ['cut within an object', 'exports = {a: 1, b', /damaged at character 18: expected ":", got its end/],
    ['cut within a text', 'exports = {a: "bc', /a text that ends with "/],
    ['cut within an escape', 'exports = {a: "\\u00"}', /4 hexadecimal digits/],
    ['an expression', 'exports = {a: 1 + 1}', /expected ","/],
    ['a text in place of a model', 'exports = "model"', /no model: expected a JSON object/],
    ['endless nesting', `exports = ${'['.repeat(100_000)}`, /less than 200 levels/],
  ])('%s', (_, text, message) => expectFailure(script(text), 'CHECKPOINT_FORMAT', message))

  test.each([
    ['no text', '[1]', /weights in base64, got object/],
    ['no base64', '"AAA*"', /weights in base64, got a text of 4 characters/],
    ['too little', '"AAAA"', /expected 8 bytes, got 3/],
  ])('weights that are %s', (_, value, message) => {
    put(join(folder, 'script', 'w.js'), umd('w', value))
    return expectFailure(script(umd('model', literal(manifest(one)))), 'CHECKPOINT_FORMAT', message)
  })
})
