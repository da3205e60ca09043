import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../ts/errors.js'
import { importTfjs } from '../../ts/import/keras/index.js'
import { Device } from '../../ts/runtime/device.js'
import { failureOf, temporaryFolder } from '../checkpoints/files.js'
import { fixture, layerOf, networkOf, writeModel, type Document } from '../checkpoints/tfjs-files.js'
import { kerasExpectation, kerasFolder, kerasImages } from '../support/keras.js'
import { relativeError } from '../support/reference.js'

const folder = temporaryFolder()

let device: Device

beforeAll(async () => {
  device = await Device.open('cpu', { tuning: 'off' })
})
afterAll(() => device.close())

/** Folder of a model whose description is changed. */
function changed(name: string, change: (document: Document) => void): string {
  const { document, weights } = fixture(name)
  change(document)
  return writeModel(folder, document, { 'group1-shard1of1.bin': weights })
}

async function expectFailure(path: string, code: ErrorCode, ...messages: RegExp[]): Promise<void> {
  const error = await failureOf(importTfjs(path))
  for (const message of messages) expect(error.message).toMatch(message)
  expect(error.code).toBe(code)
}

async function expectSameLogits(path: string, name: string): Promise<void> {
  const { input, logits } = kerasExpectation(name)
  const model = await importTfjs(path)
  using program = await model.compile(device, { batch: input[0]! })
  const got = await program.predict(kerasImages(input))
  expect(relativeError(got.logits.data, logits)).toBeLessThan(2e-6)
}

describe('what is read', () => {
  test("parameters have the names of Keras' layers and PyTorch's arrays", async () => {
    const { parameters } = await importTfjs(kerasFolder('tfjs_branches'))
    expect(Object.fromEntries(parameters.map(({ name, shape }) => [name, shape]))).toMatchObject({
      'conv1.weight': [6, 3, 4, 4],
      'bn1.running_var': [6],
      'a.weight': [4, 6, 1, 3],
      'c.weight': [12, 1, 2, 2],
      'd.depthwise.weight': [6, 1, 3, 3],
      'd.pointwise.weight': [3, 6, 1, 1],
      'd.pointwise.bias': [3],
      'nested.squeeze.weight': [2, 6, 1, 1],
      'hidden.weight': [7, 540],
    })
    expect(parameters.map(({ name }) => name)).not.toContain('conv1.bias')
  })

  test('the last softmax is left out, others are kept', async () => {
    const ops = async (path: string) => (await importTfjs(path)).trace('evaluation').nodes.map(({ op }) => op)
    expect(await ops(kerasFolder('tfjs_sequential'))).not.toContain('softmax')
    const path = changed('tfjs_sequential', (document) => {
      layerOf(document, 'conv1').config.activation = 'softmax'
    })
    expect((await ops(path)).filter((op) => op === 'softmax')).toHaveLength(1)
  })

  test('layers in any order of the file', () =>
    expectSameLogits(
      changed('tfjs_branches', (document) => {
        networkOf(document).config.layers.reverse()
      }),
      'tfjs_branches',
    ))

  test('of several outputs, the one behind a softmax', () =>
    expectSameLogits(
      changed('tfjs_branches', (document) => {
        networkOf(document).config.output_layers = [
          ['join', 0, 0],
          ['softmax', 0, 0],
          ['hidden', 0, 0],
        ]
      }),
      'tfjs_branches',
    ))

  test('a topology inside model_config, and one output without a list around it', () =>
    expectSameLogits(
      changed('tfjs_branches', (document) => {
        const network = networkOf(document)
        network.config.output_layers = ['softmax', 0, 0]
        document.modelTopology = { model_config: network }
      }),
      'tfjs_branches',
    ))

  test('a list of layers as the config of a sequential network, and weights with a longer name', () =>
    expectSameLogits(
      changed('tfjs_sequential', (document) => {
        Object.assign(networkOf(document), { config: networkOf(document).config.layers })
        for (const weight of document.weightsManifest[0]!.weights) weight.name = `model/block/${weight.name}`
      }),
      'tfjs_sequential',
    ))

  test('counters that only training needs', () =>
    expectSameLogits(
      changed('tfjs_sequential', ({ weightsManifest: [group] }) => {
        group!.weights.push({ name: 'dropout/seed_generator_state', shape: [0], dtype: 'int32' })
      }),
      'tfjs_sequential',
    ))

  test('name, preprocessing and labels', async () => {
    const labels = ['a', 'b', 'c', 'd', 'e']
    const plain = await importTfjs(kerasFolder('tfjs_sequential'))
    expect(plain.info).toMatchObject({
      name: 'tfjs_sequential',
      labels: null,
      input: { size: 6, channels: 1, fixed: true },
      preprocessing: { size: 6, resize: 'exact', channels: 'grey', mean: [0], deviation: [1] },
    })
    const preprocessing = { ...plain.info.preprocessing, size: 4, resize: 5 }
    const named = await importTfjs(kerasFolder('tfjs_sequential'), { name: 'mine', preprocessing, labels })
    expect(named.info).toMatchObject({ name: 'mine', preprocessing, labels })
    const error = await failureOf(importTfjs(kerasFolder('tfjs_sequential'), { labels: ['a'] }))
    expect(error.message).toMatch(/labels: .* tells 5 classes apart, got 1 names/)
  })

  test('a network that leaves the size open takes any', async () => {
    const path = changed('stacked', (document) => {
      layerOf(document, 'image').config.batch_shape = [null, null, null, 2]
    })
    const model = await importTfjs(path)
    expect(model.info.input).toEqual({ channels: 2, size: 224, fixed: false })
    const { preprocessing } = model.info
    const named = await importTfjs(path, { preprocessing: { ...preprocessing, size: 20, padding: 2 } })
    expect(named.info.input.size).toBe(24)
    // The padding of 'same' is that of the size it runs at: 8 is even, 9 is odd.
    const { input, logits } = kerasExpectation('stacked')
    using even = await model.compile(device, { batch: 2, size: 8 })
    expect(relativeError((await even.predict(kerasImages(input))).logits.data, logits)).toBeLessThan(2e-6)
    const padded = model.trace('evaluation', { size: 9 }).nodes.find(({ path }) => path === 'body.conv')
    expect(padded!.attributes).toMatchObject({ padding: [1, 1, 1, 1] })
  })

  test('a network with weights for each pixel takes one size', async () => {
    const model = await importTfjs(kerasFolder('every_layer'))
    expect(() => model.trace('evaluation', { size: 12 })).toThrow(/images of 10 x 10 only, got 12 x 12/)
  })
})

describe('what is not supported is named', () => {
  test.each<[layer: string, what: RegExp, change: Record<string, unknown>]>([
    ['conv1', /Conv2D "conv1" has data_format "channels_first"/, { data_format: 'channels_first' }],
    ['conv1', /Conv2D "conv1" has padding "causal".*valid or same/, { padding: 'causal' }],
    ['conv1', /Conv2D "conv1" has activation "swish".*linear or relu/, { activation: 'swish' }],
    ['bn1', /BatchNormalization "bn1" has axis 1/, { axis: 1 }],
    ['join', /Concatenate "join" has axis 2/, { axis: 2 }],
    ['softmax', /Softmax "softmax" has axis 0/, { axis: 0 }],
    ['relu1', /Activation "relu1" has activation "elu"/, { activation: 'elu' }],
    ['pool', /MaxPooling2D "pool" has data_format/, { data_format: 'channels_first' }],
    ['image', /InputLayer "image" has the shape \[null,9,8,3\]/, { batch_input_shape: [null, 9, 8, 3] }],
    ['image', /InputLayer "image" has the shape \[null,9\]/, { batch_input_shape: [null, 9] }],
  ])('%s: %s', (layer, message, change) =>
    expectFailure(
      changed('tfjs_branches', (document) => Object.assign(layerOf(document, layer).config, change)),
      'UNSUPPORTED',
      message,
      /model\.json/,
    ),
  )

  test('an unknown class of layers', () =>
    expectFailure(
      changed('tfjs_branches', (document) => {
        layerOf(document, 'relu1').class_name = 'LeakyReLU'
      }),
      'UNSUPPORTED',
      /layer "relu1" has the class LeakyReLU, which is not supported/,
    ))

  test('an unknown class within a nested model', () =>
    expectFailure(
      changed('tfjs_branches', (document) => {
        const nested = layerOf(document, 'nested').config as unknown as { layers: { class_name: string }[] }
        nested.layers[1]!.class_name = 'Lambda'
      }),
      'UNSUPPORTED',
      /layer "squeeze" has the class Lambda/,
    ))

  test('a ReLU with an upper bound', () =>
    expectFailure(
      changed('every_layer', (document) => {
        layerOf(document, 'relu').config.max_value = 6
      }),
      'UNSUPPORTED',
      /ReLU "relu" has max_value 6/,
    ))

  test('a class of networks', () =>
    expectFailure(
      changed('tfjs_sequential', (document) => {
        networkOf(document).class_name = 'MyModel'
      }),
      'UNSUPPORTED',
      /network of class MyModel/,
    ))

  test('several inputs, several outputs, an image as output', async () => {
    const withConfig = (config: object) =>
      changed('tfjs_branches', (document) => Object.assign(networkOf(document).config, config))
    const two = [
      ['image', 0, 0],
      ['relu1', 0, 0],
    ]
    await expectFailure(withConfig({ input_layers: two }), 'UNSUPPORTED', /has 2 inputs/)
    await expectFailure(withConfig({ output_layers: two }), 'UNSUPPORTED', /2 outputs \(image, relu1\)/)
    await expectFailure(withConfig({ output_layers: [['join', 0, 0]] }), 'UNSUPPORTED', /join is an image/)
    await expectFailure(withConfig({ output_layers: [['flat', 0, 0]] }), 'UNSUPPORTED', /flat is an image/)
  })

  test('a reshape that would move features between channels', () =>
    expectFailure(
      changed('tfjs_sequential', (document) => {
        const { layers } = networkOf(document).config
        const config = { name: 'back', target_shape: [3, 4, 1] }
        layers.splice(4, 0, { class_name: 'Reshape', config })
      }),
      'UNSUPPORTED',
      /Reshape "back" has target_shape \[3, 4, 1\], which moves features/,
    ))
})

describe('what is damaged', () => {
  const weight = (document: Document, name: string) =>
    document.weightsManifest[0]!.weights.find((entry) => entry.name === name)!

  test.each<[string, ErrorCode, RegExp, (document: Document) => void]>([
    [
      'a weight is missing',
      'CHECKPOINT_MISMATCH',
      /layer "conv1" has no kernel: expected \[4, 4, 3, 6\]/,
      (document) => (weight(document, 'conv1/kernel').name = 'conv1/kern'),
    ],
    [
      'a weight has another shape',
      'CHECKPOINT_MISMATCH',
      /"conv1\/kernel" does not fit its layer: expected \[4, 4, 3, 6\], got \[4, 4, 6, 3\]/,
      (document) => (weight(document, 'conv1/kernel').shape = [4, 4, 6, 3]),
    ],
    [
      'a weight belongs to no layer',
      'CHECKPOINT_MISMATCH',
      /1 weights belong to no layer: other\/bias/,
      (document) =>
        document.weightsManifest[0]!.weights.push({ name: 'other/bias', shape: [0], dtype: 'float32' }),
    ],
    [
      'a weight could be two',
      'CHECKPOINT_MISMATCH',
      /several weights could be the kernel of layer "conv1"/,
      (document) => {
        weight(document, 'conv1/kernel').name = 'x/conv1/kernel'
        document.weightsManifest[0]!.weights.push({ name: 'y/conv1/kernel', shape: [0], dtype: 'float32' })
      },
    ],
    [
      'a layer without config',
      'CHECKPOINT_FORMAT',
      /a layer is wrong: expected class_name, name and config/,
      (document) => Object.assign(layerOf(document, 'conv1'), { config: null }),
    ],
    [
      'two layers of one name',
      'CHECKPOINT_FORMAT',
      /two layers of "tfjs_branches" have one name/,
      (document) => {
        const { layers } = networkOf(document).config
        layers.push(layerOf(document, 'conv1'))
      },
    ],
    [
      'no layers',
      'CHECKPOINT_FORMAT',
      /a network has no layers/,
      (document) => (networkOf(document).config.layers = []),
    ],
    [
      'an input that no layer gives',
      'CHECKPOINT_FORMAT',
      /needs what no layer gives.*got "nobody", use 0/,
      (document) => (layerOf(document, 'bn1').inbound_nodes = [[['nobody', 0, 0, {}]]]),
    ],
    [
      'a use that a layer does not have',
      'CHECKPOINT_FORMAT',
      /needs what no layer gives.*got "conv1", use 3/,
      (document) => (layerOf(document, 'bn1').inbound_nodes = [[['conv1', 3, 0, {}]]]),
    ],
    [
      'a result that a layer does not have',
      'CHECKPOINT_FORMAT',
      /BatchNormalization "bn1" needs result 2 of layer "conv1"/,
      (document) => (layerOf(document, 'bn1').inbound_nodes = [[['conv1', 0, 2, {}]]]),
    ],
    [
      'layers in a circle',
      'CHECKPOINT_FORMAT',
      /need each other in a circle/,
      (document) => (layerOf(document, 'conv1').inbound_nodes = [[['pool', 0, 0, {}]]]),
    ],
    [
      'a layer with too many inputs',
      'CHECKPOINT_FORMAT',
      /layer BatchNormalization "bn1" takes 1 input\(s\), got 2/,
      (document) =>
        (layerOf(document, 'bn1').inbound_nodes = [
          [
            ['conv1', 0, 0, {}],
            ['conv1', 0, 0, {}],
          ],
        ]),
    ],
    [
      'a layer without inputs',
      'CHECKPOINT_FORMAT',
      /layer BatchNormalization "bn1" takes 1 input\(s\), got 0/,
      (document) => (layerOf(document, 'bn1').inbound_nodes = []),
    ],
    [
      'inputs that are no references',
      'CHECKPOINT_FORMAT',
      /inputs of layer BatchNormalization "bn1" are wrong/,
      (document) => (layerOf(document, 'bn1').inbound_nodes = [[['conv1', -1, 0]]]),
    ],
    [
      'inputs that are no list',
      'CHECKPOINT_FORMAT',
      /inputs of layer BatchNormalization "bn1" are wrong/,
      (document) => (layerOf(document, 'bn1').inbound_nodes = 'conv1'),
    ],
    [
      'arguments that are no tensors',
      'CHECKPOINT_FORMAT',
      /inputs of layer BatchNormalization "bn1" are wrong/,
      (document) =>
        (layerOf(document, 'bn1').inbound_nodes = [{ args: [{ class_name: 'other' }], kwargs: {} }]),
    ],
    [
      'a bad kernel size',
      'CHECKPOINT_FORMAT',
      /Conv2D "conv1": kernel_size must be a positive integer or two, got \[0,3\]/,
      (document) => (layerOf(document, 'conv1').config.kernel_size = [0, 3]),
    ],
    [
      'no filters',
      'CHECKPOINT_FORMAT',
      /Conv2D "conv1": filters must be a positive integer, got nothing/,
      (document) => delete layerOf(document, 'conv1').config.filters,
    ],
    [
      'a bad number',
      'CHECKPOINT_FORMAT',
      /BatchNormalization "bn1": epsilon must be a number, got "x"/,
      (document) => (layerOf(document, 'bn1').config.epsilon = 'x'),
    ],
    [
      'a bad flag',
      'CHECKPOINT_FORMAT',
      /Conv2D "conv1": use_bias must be true or false, got 1/,
      (document) => (layerOf(document, 'conv1').config.use_bias = 1),
    ],
    [
      'bad padding',
      'CHECKPOINT_FORMAT',
      /ZeroPadding2D "pad": padding must be edges that are not negative/,
      (document) => (layerOf(document, 'pad').config.padding = [[1, -1], 0]),
    ],
    [
      'no shape of the input',
      'CHECKPOINT_FORMAT',
      /InputLayer "image" has no shape/,
      (document) => delete layerOf(document, 'image').config.batch_input_shape,
    ],
    [
      'branches that do not meet',
      'SHAPE_MISMATCH',
      /concat at join expects/,
      (document) => (layerOf(document, 'b').config.padding = 'valid'),
    ],
    [
      'no class_name',
      'CHECKPOINT_FORMAT',
      /modelTopology describes no network/,
      (document) => (document.modelTopology = {}),
    ],
  ])('%s', (_, code, message, change) => expectFailure(changed('tfjs_branches', change), code, message))

  test('a target shape that does not fit', () =>
    expectFailure(
      changed('tfjs_sequential', (document) => {
        layerOf(document, 'reshape').config.target_shape = [6, 7, 1]
      }),
      'CHECKPOINT_FORMAT',
      /Reshape "reshape": target_shape must be a shape of 36 elements, got \[6,7,1\]/,
    ))

  test('models nested without end', async () => {
    let layer: unknown = { class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, 4, 4, 1] } }
    for (let i = 0; i < 1000; i++)
      layer = { class_name: 'Sequential', name: `n${i}`, config: { layers: [layer] } }
    const path = writeModel(folder, { modelTopology: layer, weightsManifest: [] })
    await expectFailure(path, 'CHECKPOINT_FORMAT', /nested more than 16 deep/)
  })
})
