import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createModel, modelNames, type ModelName } from '../../models/index.js'
import { loadWeightsFile } from '../../models/pretrained.js'
import { recipeFor } from '../../models/recipes.js'
import { recreate } from '../../models/recreate.js'
import { withNewHead } from '../../ts/cli/new-head.js'
import { ArrayDataset } from '../../ts/data/datasets/dataset.js'
import { CAFFE, CIFAR, TORCHVISION, type Preprocessing } from '../../ts/data/preprocessing.js'
import type { Json } from '../../ts/io/json.js'
import { writeSafetensors } from '../../ts/io/safetensors.js'
import { describeModel, readDescription } from '../../ts/model/description.js'
import { Model } from '../../ts/model/model.js'
import { Device } from '../../ts/runtime/device.js'
import { train } from '../../ts/train/trainer.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
import { failureOf, temporaryFolder } from './files.js'

type AnyModel = Model<'logits', string>

const folder = temporaryFolder()
let device: Device
beforeAll(async () => {
  device = await Device.open('cpu')
})
afterAll(() => device.close())

/** All that a network computes, in words. */
function computation(model: AnyModel): unknown {
  const graphs = (['evaluation', 'training'] as const).map((mode) => model.trace(mode, { batch: 2 }))
  return graphs.flatMap(({ nodes }) =>
    nodes.map(({ op, path, attributes, inputs, outputs }) => [
      op,
      path,
      attributes,
      inputs.map((value) => value?.name),
      outputs.map(({ shape }) => shape),
    ]),
  )
}

const VARIANTS: readonly (readonly [ModelName, Json])[] = [
  ['lenet5', { squash: 'sigmoid', classes: 3 }],
  ['lenet5_modern', { classes: 3 }],
  ['alexnet', { dropout: 0.25 }],
  ['alexnet_original', { groups: 1, order: 'poolThenNormalise', dropout: 0, classes: 7 }],
  ['caffenet', { localResponseNorm: { size: 3, alpha: 0.5, beta: 0.5, k: 3, divideAlpha: false } }],
  ['vgg11', { pooling: 'global', dropout: 0.1 }],
  ['vgg11_bn', { batchNorm: true, classes: 3 }],
  ['googlenet', { auxiliary: false, transformInput: true, dropout: 0.1 }],
  ['googlenet_original', { auxiliaryDropout: 0.1, localResponseNorm: { size: 3 } }],
  ['inception_v3', { transformInput: true, auxiliary: false, dropout: 0.1, classes: 3 }],
  ['resnet18', { version: 'v1', bias: true, eps: 1e-3, zeroInitResidual: true }],
  ['resnet20', { shortcut: 'B', eps: 1e-3, classes: 3 }],
  ['plain20', { eps: 1e-3 }],
  ['densenet121', { growth: 16, compression: 0.7, bottleneck: 2, eps: 1e-3, dropout: 0.2 }],
  ['densenet_bc', { depth: 40, growth: 24 }],
]

describe('the options of a network come back from what its weights file tells', () => {
  test.each(VARIANTS)('%s %j', (name, options) => {
    const model = createModel(name, options) as AnyModel
    const again = recreate(name, 'a file', readDescription({ path: 'a file', metadata: described(model) })!)
    expect(computation(again)).toEqual(computation(model))
    // The variant is one: otherwise this would show nothing.
    expect(computation(again)).not.toEqual(computation(createModel(name)))
  })

  test('of every network by its name', () => {
    for (const name of modelNames) {
      const model = createModel(name) as AnyModel
      const { info } = model
      const again = recreate(
        name,
        'a file',
        readDescription({ path: 'a file', metadata: described(model) })!,
      ).info
      expect({ ...again, checkpointName: null }).toEqual({
        ...info,
        checkpointName: null,
        options: { ...info.options, classes: info.classes },
      })
    }
  })
})

/** Logits of two images, on which every weight has its part. */
async function logitsOf(model: AnyModel, size: number): Promise<Float32Array> {
  const image = fixtureImage('variants', [2, 3, size, size])
  const program = await model.compile(device, { batch: 2, size })
  const { logits } = await program.predict(image)
  program.dispose()
  return logits.data
}

/** A model that has other preprocessing than its network, as one of Keras' weights. */
async function published(name: ModelName, options: Json, preprocessing: Preprocessing): Promise<AnyModel> {
  const { network, info } = createModel(name, options) as AnyModel
  const model = new Model(network, { ...info, preprocessing })
  await setFixtureWeights(model)
  return model
}

async function saved(model: AnyModel, name: string): Promise<string> {
  const path = join(folder, `${name}.safetensors`)
  await model.save(path)
  return path
}

describe('a saved model computes the same, bit for bit, and wants the same to see', () => {
  test.each<[ModelName, Json, Preprocessing]>([
    ['resnet50', { version: 'v1', bias: true, eps: 1.001e-5 }, CAFFE],
    ['googlenet', { transformInput: true, classes: 3 }, { ...TORCHVISION, resize: 232 }],
  ])('%s %j', async (name, options, preprocessing) => {
    const model = await published(name, options, preprocessing)
    const path = await saved(model, name)
    const loaded = await loadWeightsFile(name, path)
    expect(await logitsOf(loaded.model, 64)).toEqual(await logitsOf(model, 64))
    expect(loaded.preprocessing).toEqual(preprocessing)
    expect(loaded.model.info.preprocessing).toEqual(preprocessing)
    expect(loaded.labels?.length).toBe(name === 'resnet50' ? 1000 : undefined)
    // What is saved again is the same again.
    const again = await loadWeightsFile(name, await saved(loaded.model, `${name}-again`))
    expect(await logitsOf(again.model, 64)).toEqual(await logitsOf(model, 64))
    expect(again.preprocessing).toEqual(preprocessing)
  })

  test('a variant fine-tuned for other classes, with the names of these', async () => {
    const given = await published('resnet20', { shortcut: 'B', eps: 1e-3, classes: 10 }, CIFAR)
    const { model: trunk } = await loadWeightsFile('resnet20', await saved(given, 'trunk'))
    const model = await withNewHead(trunk, 3)
    const classes = ['ape', 'bee', 'cow']
    const pixels = Uint8Array.from({ length: 12 * 32 * 32 * 3 }, (_, i) => (i * i) % 251)
    const images = { width: 32, height: 32, channels: 3, data: pixels } as const
    const labels = Uint8Array.from({ length: 12 }, (_, i) => i % 3)
    const data = new ArrayDataset('animals', classes, images, labels)
    const preprocessing: Preprocessing = { ...CIFAR, mean: [0.25, 0.5, 0.75] }
    const out = join(folder, 'run')
    const recipe = recipeFor('resnet20')
    await train({ model, device, train: data, recipe, epochs: 1, batch: 4, workers: 0, preprocessing, out })
    for (const file of ['best.safetensors', 'last.safetensors']) {
      const loaded = await loadWeightsFile('resnet20', join(out, file))
      expect(await logitsOf(loaded.model, 32)).toEqual(await logitsOf(model, 32))
      expect(loaded.labels).toEqual(classes)
      expect(loaded.preprocessing).toEqual(preprocessing)
      expect(loaded.model.info).toMatchObject({ classes: 3, options: { shortcut: 'B', eps: 1e-3 } })
    }
  })

  test('a new head leaves the counters of batch norm as they are', async () => {
    const model = createModel('resnet20')
    model.weights.setCounter('bn1.num_batches_tracked', 5n)
    const tuned = await withNewHead(model, 3)
    expect(tuned.weights.counter('bn1.num_batches_tracked')).toBe(5n)
    expect(() => tuned.weights.setCounter('bn1.weight', 5n)).toThrow("resnet20 has no counter 'bn1.weight'")
  })

  test('the names of the old classes do not outlive them', async () => {
    const { network, info } = createModel('resnet20', { classes: 2 })
    const model = new Model(network, { ...info, labels: ['ape', 'bee'] })
    const loaded = await loadWeightsFile('resnet20', await saved(model, 'two'))
    expect(loaded.labels).toEqual(['ape', 'bee'])
    expect((await withNewHead(loaded.model, 3)).info.labels).toBeNull()
  })
})

/** A file of ResNet-20 with other texts beside its weights. */
async function withMetadata(metadata: Readonly<Record<string, string>>, name = 'texts'): Promise<string> {
  const { parameters, weights } = createModel('resnet20', { classes: 7 })
  const path = join(folder, `${name}.safetensors`)
  const arrays = parameters.filter(({ role }) => role !== 'counter')
  await writeSafetensors(
    path,
    arrays.map(({ name, shape }) => ({ name, shape, dtype: 'f32', data: () => weights.get(name) })),
    metadata,
  )
  return path
}

describe('a file that tells nothing of its network', () => {
  test.each([{}, { format: 'pt', model: 'resnet50' }])('is what it is taken for: %j', async (metadata) => {
    const { model, labels, preprocessing } = await loadWeightsFile('resnet20', await withMetadata(metadata))
    expect(model.info.classes).toBe(7)
    expect(labels).toBeUndefined()
    expect(preprocessing).toEqual(CIFAR)
  })
})

describe('a file of another network than asked for', () => {
  test.each<[string, AnyModel, ModelName]>([
    ['another depth', createModel('resnet32'), 'resnet20'],
    ['the same parameters', createModel('plain20'), 'resnet20'],
    ['another family', createModel('densenet_bc', { depth: 10 }), 'lenet5'],
    ['a variant with a name', createModel('vgg11', { batchNorm: true }), 'vgg11'],
    ['a variant without one', createModel('resnet18', { residual: false }), 'resnet34'],
  ])('%s', (_, model, name) => {
    const description = readDescription({ path: 'a file', metadata: described(model) })!
    expect(() => recreate(name, 'a file', description)).toThrow(
      expect.objectContaining({
        code: 'CHECKPOINT_MISMATCH',
        message: `a file holds weights of ${model.name}, not of ${name}`,
      }),
    )
  })

  test('is refused when it is loaded', async () => {
    const path = await saved(createModel('plain20'), 'plain')
    const error = await failureOf(loadWeightsFile('resnet20', path))
    expect(error.message).toBe(`${path} holds weights of plain20, not of resnet20`)
  })

  test('a network that no name makes', async () => {
    const { network, info } = createModel('resnet20')
    const { classes, input, preprocessing } = info
    const path = await saved(new Model(network, { name: 'mine', classes, input, preprocessing }), 'mine')
    const error = await failureOf(loadWeightsFile('resnet20', path))
    expect(error.code).toBe('CHECKPOINT_MISMATCH')
    expect(error.message).toContain('holds weights of mine, a network that was imported or self-made')
  })

  test('one whose options have changed its name is what they say', () => {
    const description = readDescription({
      path: 'a file',
      metadata: described(createModel('resnet18', { residual: false })),
    })!
    expect(recreate('resnet18', 'a file', description).name).toBe('plain18')
  })
})

function described(model: AnyModel): Map<string, string> {
  return new Map(Object.entries(describeModel(model.info)))
}

describe('damaged or nonsensical texts', () => {
  const good = { options: { classes: 7 }, preprocessing: CIFAR, labels: null }
  const text = (change: object): string => JSON.stringify({ ...good, ...change })

  test.each<[string, string, RegExp]>([
    ['no JSON', '{"options":', /fovea\.model is not JSON/],
    ['no object', '[1]', /fovea\.model is not a JSON object: got \[1\]/],
    ['options that are none', text({ options: 7 }), /bad options: expected an object, got 7/],
    [
      'an unknown option',
      text({ options: { clases: 7 } }),
      /resnet20 has no option 'clases'; there are classes, /,
    ],
    ['an option of another network', text({ options: { depth: 40 } }), /resnet20 has no option 'depth'/],
    ['a wrong number', text({ options: { classes: -7 } }), /classes must be a positive integer, got -7/],
    ['a text for a number', text({ options: { eps: '1e-3' } }), /eps must be a positive number, got "1e-3"/],
    ['an unknown word', text({ options: { shortcut: 'C' } }), /shortcut must be "A" or "B", got "C"/],
    ['options of another variant', text({ options: { residual: false } }), /make plain20, not resnet20/],
    [
      'a prototype',
      `{"options":{"__proto__":1},"preprocessing":${JSON.stringify(CIFAR)}}`,
      /no option '__proto__'/,
    ],
    ['no preprocessing', text({ preprocessing: undefined }), /preprocessing must be an object, got nothing/],
    [
      'half of it',
      text({ preprocessing: { size: 32 } }),
      /preprocessing\.resize must be 'exact' or an integer/,
    ],
    ['a wrong mean', text({ preprocessing: { ...CIFAR, mean: [1, 2, '3'] } }), /mean must be 3 number\(s\)/],
    [
      'no deviation',
      text({ preprocessing: { ...CIFAR, deviation: [1, 0, 1] } }),
      /must be 3 positive number\(s\)/,
    ],
    [
      'an unknown filter',
      text({ preprocessing: { ...CIFAR, interpolation: 'cubic' } }),
      /must be one of nearest/,
    ],
    [
      'preprocessing of another network',
      text({ preprocessing: { ...CIFAR, channels: 'grey', mean: [0], deviation: [1] } }),
      /its preprocessing is not for resnet20: expected 3 channel\(s\), got 1 of 32 x 32/,
    ],
    ['labels that are none', text({ labels: [1] }), /bad labels: expected a list of names/],
    ['too few labels', text({ labels: ['a'] }), /has not one label for each class: expected 7, got 1/],
  ])('%s', async (_, description, message) => {
    const path = await withMetadata({ model: 'resnet20', 'fovea.model': description })
    const error = await failureOf(loadWeightsFile('resnet20', path))
    expect(error.message).toMatch(message)
    expect(error.message).toContain(path)
    expect(error.code).toBe('CHECKPOINT_FORMAT')
  })

  test('the same, whole, loads', async () => {
    const path = await withMetadata({ model: 'resnet20', 'fovea.model': text({}) })
    expect((await loadWeightsFile('resnet20', path)).model.info.classes).toBe(7)
  })

  test('without the name of the network', async () => {
    const error = await failureOf(
      loadWeightsFile('resnet20', await withMetadata({ 'fovea.model': text({}) })),
    )
    expect(error.message).toMatch(/has "fovea\.model", but no "model" that is so/)
  })

  test('an absurd depth', async () => {
    const metadata = { model: 'densenet_bc', 'fovea.model': text({ options: { depth: 6e9 + 4 } }) }
    const error = await failureOf(loadWeightsFile('densenet_bc', await withMetadata(metadata)))
    expect(error.message).toMatch(/depth must be 6n \+ 4 with n from 1 to 166, got 6000000004/)
  })
})
