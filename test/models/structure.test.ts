import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  C3_CONNECTIONS,
  createModel,
  googlenet,
  modelNames,
  resnet18,
  resnet20,
  resnet50,
  vgg16,
  type ModelName,
} from '../../models/index.js'
import { inputSide } from '../../ts/data/preprocessing.js'
import { ShapeError } from '../../ts/errors.js'
import type { Graph } from '../../ts/graph/graph.js'
import type { CompileOptions, Model } from '../../ts/model/model.js'
import type { Device } from '../../ts/runtime/device.js'
import type { TrainingProgram } from '../../ts/model/training.js'
import type { InferenceProgram } from '../../ts/model/inference.js'

type AnyModel = Model<'logits', string>

const evaluate = (model: AnyModel, options?: CompileOptions) => model.trace('evaluation', options)
const shapes = (graph: Graph) =>
  Object.fromEntries([...graph.outputs].map(([name, { shape }]) => [name, shape]))
/** Shape of what the last operation of a layer gives. */
const shapeAt = (graph: Graph, path: string) =>
  graph.nodes.findLast((node) => node.path === path || node.path.startsWith(`${path}.`))?.outputs[0]!.shape
const count = (graph: Graph, op: string) => graph.nodes.filter((node) => node.op === op).length

describe('every network', () => {
  it.each(modelNames)('%s gives logits for its own image size, any batch and number of classes', (name) => {
    expect(shapes(evaluate(createModel(name), { batch: 3 }))).toEqual({
      logits: [3, createModel(name).info.classes],
    })
    expect(shapes(evaluate(createModel(name, { classes: 7 })))).toEqual({ logits: [1, 7] })
  })

  it.each(modelNames.filter((name) => !createModel(name).info.input.fixed))(
    '%s takes other image sizes',
    (name) => {
      const model: AnyModel = createModel(name)
      const { size } = model.info.input
      for (const other of [size + 1, size + 37, [size, 2 * size - 5] as const])
        expect(shapes(evaluate(model, { size: other })).logits).toEqual([1, model.info.classes])
    },
  )

  it.each(modelNames)('%s uses every parameter, or has it for an auxiliary head', (name) => {
    const model: AnyModel = createModel(name)
    const traced = new Set(evaluate(model).parameters.keys())
    const idle = model.parameters.filter(
      (parameter) => !traced.has(parameter.name) && parameter.role !== 'counter',
    )
    const heads = model.info.auxiliaryHeads ?? []
    for (const parameter of idle) expect(heads).toContain(parameter.name.split('.')[0])
  })

  it.each(modelNames)('%s wants its images as large as it was made for', (name) => {
    const { input, preprocessing } = createModel(name).info
    expect(inputSide(preprocessing)).toBe(input.size)
    expect(preprocessing.mean).toHaveLength(input.channels)
  })
})

describe('too small or otherwise wrong images', () => {
  const SMALLEST: readonly (readonly [ModelName, smallest: number, layer: RegExp])[] = [
    ['alexnet', 63, /max pooling at features\.12 expects .* 3 x 3 .* got 2 x 2/],
    ['vgg11', 32, /max pooling at features\.20 expects .* 2 x 2 .* got 1 x 1/],
    ['vgg16', 32, /max pooling at features\.30 expects .* 2 x 2 .* got 1 x 1/],
    ['vgg16_bn', 32, /max pooling at features\.43/],
    ['inception_v3', 75, /Mixed_7a/],
    ['densenet121', 29, /average pooling at features\.transition3\.pool expects .* 2 x 2 .* got 1 x 1/],
    ['densenet_bc', 4, /average pooling at features\.transition2\.pool/],
  ]

  it.each(SMALLEST)('%s needs %i pixels', (name, smallest, layer) => {
    const model: AnyModel = createModel(name)
    expect(shapes(evaluate(model, { size: smallest })).logits).toEqual([1, model.info.classes])
    expect(() => evaluate(model, { size: smallest - 1 })).toThrow(ShapeError)
    expect(() => evaluate(model, { size: smallest - 1 })).toThrow(layer)
  })

  it('ResNets take a single pixel', () => {
    for (const name of ['resnet18', 'resnet50', 'resnet20', 'plain20'] as const)
      expect(shapes(evaluate(createModel(name), { size: 1 })).logits![0]).toBe(1)
  })

  it.each(['lenet5', 'lenet5_modern', 'alexnet_original', 'caffenet'] as const)(
    '%s takes one size only',
    (name) => {
      const model = createModel(name)
      const { size } = model.info.input
      expect(() => evaluate(model, { size: size + 1 })).toThrow(
        `${name} takes images of ${size} x ${size} only`,
      )
      expect(() => evaluate(model, { size: [size, size - 1] })).toThrow(/only, got/)
    },
  )

  it('names a batch or size that is none', () => {
    expect(() => evaluate(resnet18(), { batch: 0 })).toThrow(/batch must be a positive integer, got 0/)
    expect(() => evaluate(resnet18(), { size: [224, 1.5] })).toThrow(/width must be a positive integer/)
  })
})

describe('tables of the papers', () => {
  it('LeNet-5: figure 2', () => {
    const graph = evaluate(createModel('lenet5'))
    expect(['c1', 's2', 'c3', 's4', 'c5', 'f6'].map((layer) => shapeAt(graph, layer)?.slice(1))).toEqual([
      [6, 28, 28],
      [6, 14, 14],
      [16, 10, 10],
      [16, 5, 5],
      [120, 1, 1],
      [84],
    ])
    expect(C3_CONNECTIONS.flat()).toHaveLength(60)
  })

  it('AlexNet: figure 2', () => {
    const graph = evaluate(createModel('alexnet_original'))
    expect(
      ['conv1', 'pool1', 'conv2', 'pool2', 'conv3', 'conv4', 'conv5', 'pool5'].map((l) => shapeAt(graph, l)),
    ).toEqual([
      [1, 96, 55, 55],
      [1, 96, 27, 27],
      [1, 256, 27, 27],
      [1, 256, 13, 13],
      [1, 384, 13, 13],
      [1, 384, 13, 13],
      [1, 256, 13, 13],
      [1, 256, 6, 6],
    ])
  })

  it('AlexNet normalises before it pools, CaffeNet after', () => {
    const order = (name: 'alexnet_original' | 'caffenet') =>
      evaluate(createModel(name))
        .nodes.map(({ op }) => op)
        .filter((op) => op === 'pooling' || op === 'localResponseNorm')
    const [n, p] = ['localResponseNorm', 'pooling']
    expect(order('alexnet_original')).toEqual([n, p, n, p, p])
    expect(order('caffenet')).toEqual([p, n, p, n, p])
    const norms = (name: 'alexnet_original' | 'caffenet') =>
      evaluate(createModel(name)).nodes.find(({ op }) => op === 'localResponseNorm')!.attributes
    // The operation divides alpha by the number of channels, as Caffe does and the paper does not.
    expect(norms('alexnet_original')).toEqual({ size: 5, alpha: 5e-4, beta: 0.75, k: 2 })
    expect(norms('caffenet')).toEqual({ size: 5, alpha: 1e-4, beta: 0.75, k: 1 })
  })

  it('VGG: 224, 112, 56, 28, 14, 7', () => {
    const graph = evaluate(createModel('vgg16'))
    const sizes = graph.nodes.filter(({ op }) => op === 'pooling').map(({ outputs }) => outputs[0]!.shape[2])
    expect(sizes).toEqual([112, 56, 28, 14, 7])
    expect(shapeAt(evaluate(vgg16({ pooling: 'global' })), 'classifier.0')).toEqual([1, 4096])
  })

  it.each(['googlenet', 'googlenet_original'] as const)('%s: table 1, output sizes', (name) => {
    const graph = evaluate(createModel(name))
    const table = {
      conv1: [64, 112, 112],
      maxpool1: [64, 56, 56],
      conv3: [192, 56, 56],
      maxpool2: [192, 28, 28],
      inception3a: [256, 28, 28],
      inception3b: [480, 28, 28],
      maxpool3: [480, 14, 14],
      inception4a: [512, 14, 14],
      inception4b: [512, 14, 14],
      inception4c: [512, 14, 14],
      inception4d: [528, 14, 14],
      inception4e: [832, 14, 14],
      maxpool4: [832, 7, 7],
      inception5a: [832, 7, 7],
      inception5b: [1024, 7, 7],
    }
    for (const [layer, shape] of Object.entries(table))
      expect(shapeAt(graph, layer), layer).toEqual([1, ...shape])
    expect(count(graph, 'localResponseNorm')).toBe(name === 'googlenet' ? 0 : 2)
    expect(count(graph, 'batchNorm')).toBe(name === 'googlenet' ? 57 : 0)
  })

  it('Inception v3: table 1, output sizes', () => {
    const graph = evaluate(createModel('inception_v3'))
    const table = {
      Conv2d_1a_3x3: [32, 149, 149],
      Conv2d_2a_3x3: [32, 147, 147],
      Conv2d_2b_3x3: [64, 147, 147],
      maxpool1: [64, 73, 73],
      Conv2d_4a_3x3: [192, 71, 71],
      maxpool2: [192, 35, 35],
      Mixed_5b: [256, 35, 35],
      Mixed_5d: [288, 35, 35],
      Mixed_6a: [768, 17, 17],
      Mixed_6e: [768, 17, 17],
      Mixed_7a: [1280, 8, 8],
      Mixed_7c: [2048, 8, 8],
    }
    for (const [layer, shape] of Object.entries(table))
      expect(shapeAt(graph, layer), layer).toEqual([1, ...shape])
  })

  it('ResNet-50: the stride sits in the 3x3, in version 1 in the first 1x1', () => {
    const strides = (version: 'v1' | 'v1.5') => {
      const graph = evaluate(resnet50({ version }))
      return ['conv1', 'conv2'].map((layer) => shapeAt(graph, `layer2.0.${layer}`)![2])
    }
    expect(strides('v1.5')).toEqual([56, 28])
    expect(strides('v1')).toEqual([28, 28])
  })

  it('ResNet without shortcuts adds nothing', () => {
    expect(count(evaluate(resnet18()), 'add')).toBe(8)
    expect(count(evaluate(resnet18({ residual: false })), 'add')).toBe(0)
    expect(resnet18({ residual: false }).name).toBe('plain18')
    expect(count(evaluate(createModel('plain20')), 'add')).toBe(0)
    expect(count(evaluate(resnet20()), 'subsamplePad')).toBe(2)
    expect(count(evaluate(resnet20({ shortcut: 'B' })), 'subsamplePad')).toBe(0)
  })

  it('DenseNet-121: table 1; a layer joins all maps before it', () => {
    const graph = evaluate(createModel('densenet121'))
    const table = {
      'features.pool0': [64, 56, 56],
      'features.denseblock1': [256, 56, 56],
      'features.transition1': [128, 28, 28],
      'features.denseblock2': [512, 28, 28],
      'features.transition2': [256, 14, 14],
      'features.denseblock3': [1024, 14, 14],
      'features.transition3': [512, 7, 7],
      'features.denseblock4': [1024, 7, 7],
    }
    for (const [layer, shape] of Object.entries(table))
      expect(shapeAt(graph, layer), layer).toEqual([1, ...shape])
    const joins = graph.nodes.filter(({ op, path }) => op === 'concat' && path === 'features.denseblock2')
    expect(joins.map(({ inputs }) => inputs.length)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    const all = joins.at(-1)!.inputs
    for (const { inputs } of joins) expect(inputs.every((value, i) => value === all[i])).toBe(true)
  })

  it('eps of batch norm is 1e-3 in the Inception networks, 1e-5 elsewhere', () => {
    for (const name of ['googlenet', 'inception_v3', 'resnet50', 'vgg16_bn', 'densenet121'] as const) {
      const eps = evaluate(createModel(name))
        .nodes.filter(({ op }) => op === 'batchNorm')
        .map(({ attributes }) => (attributes as { readonly eps: number }).eps)
      expect(new Set(eps), name).toEqual(
        new Set([name === 'googlenet' || name === 'inception_v3' ? 1e-3 : 1e-5]),
      )
    }
    const keras = evaluate(resnet50({ version: 'v1', bias: true, eps: 1.001e-5 }))
    expect(keras.nodes.find(({ op }) => op === 'batchNorm')!.attributes).toMatchObject({ eps: 1.001e-5 })
  })
})

describe('preprocessing of the Inception networks', () => {
  it('gives the weights the input that they were trained on, or leaves it to the network', () => {
    expect(createModel('googlenet').info.preprocessing.mean).toEqual([0.5, 0.5, 0.5])
    expect(createModel('inception_v3').info.preprocessing.deviation).toEqual([0.5, 0.5, 0.5])
    expect(createModel('googlenet', { transformInput: true }).info.preprocessing.mean).toEqual([
      0.485, 0.456, 0.406,
    ])
    expect(count(evaluate(createModel('googlenet')), 'slice')).toBe(0)
    expect(count(evaluate(createModel('googlenet', { transformInput: true })), 'slice')).toBe(3)
  })
})

describe('auxiliary heads', () => {
  it('are typed: outputs in training, none at inference', () => {
    expectTypeOf(createModel('googlenet')).toEqualTypeOf<Model<'logits', 'logits' | 'aux1' | 'aux2'>>()
    expectTypeOf(googlenet({ auxiliary: false })).toEqualTypeOf<Model>()
    expectTypeOf(createModel('inception_v3')).toEqualTypeOf<Model<'logits', 'logits' | 'aux'>>()
    expectTypeOf(createModel('resnet50')).toEqualTypeOf<Model>()
    const compiled = (device: Device) => googlenet().compile(device, { batch: 2 })
    expectTypeOf(compiled).returns.resolves.toEqualTypeOf<InferenceProgram>()
    const training = (device: Device) => googlenet().compile(device, { training: true })
    expectTypeOf(training).returns.resolves.toEqualTypeOf<TrainingProgram<'logits' | 'aux1' | 'aux2'>>()
  })

  it('compute nothing at inference', () => {
    for (const name of ['googlenet', 'googlenet_original', 'inception_v3'] as const) {
      const graph = evaluate(createModel(name))
      expect([...graph.outputs.keys()]).toEqual(['logits'])
      expect(graph.nodes.filter(({ path }) => /^aux/i.test(path))).toEqual([])
    }
  })
})

describe('in training', () => {
  it.each(modelNames)('%s gives its logits', (name) => {
    expect(shapes(createModel(name, { classes: 7 }).trace('training', { batch: 2 })).logits).toEqual([2, 7])
  })

  it.each(['googlenet', 'googlenet_original'] as const)('%s has two auxiliary outputs', (name) => {
    expect(shapes(createModel(name).trace('training', { batch: 2 }))).toEqual({
      logits: [2, 1000],
      aux1: [2, 1000],
      aux2: [2, 1000],
    })
    expect(Object.keys(shapes(createModel(name, { auxiliary: false }).trace('training')))).toEqual(['logits'])
  })

  it('Inception v3 has one', () => {
    const graph = createModel('inception_v3', { classes: 5 }).trace('training', { batch: 2 })
    expect(shapes(graph)).toEqual({ logits: [2, 5], aux: [2, 5] })
    expect(shapeAt(graph, 'AuxLogits.pool')).toEqual([2, 768, 5, 5])
  })

  it('auxiliary heads need larger images than the network', () => {
    expect(() => createModel('inception_v3').trace('training', { size: 75, batch: 2 })).toThrow(
      /AuxLogits\.pool/,
    )
    expect(() => createModel('googlenet_original').trace('training', { size: 128 })).toThrow(/aux1/)
    expect(shapes(createModel('googlenet').trace('training', { size: 97 })).aux1).toEqual([1, 1000])
  })
})
