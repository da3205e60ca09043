import { describe, expect, it } from 'vitest'
import {
  createModel,
  isModelName,
  lenet5,
  modelNames,
  parseModelName,
  resnet20,
  resnet50,
  vgg16,
  vgg19,
} from '../../models/index.js'
import { InvalidArgumentError } from '../../ts/errors.js'
import type { Model } from '../../ts/model/model.js'
import { elementCount } from '../../ts/tensor.js'
import { fixtureRoles } from '../support/fixture-weights.js'
import { readReference, TORCHVISION_NETWORKS } from '../support/reference.js'

type AnyModel = Model<'logits', string>

const COUNTS: readonly (readonly [what: string, count: number, model: () => AnyModel])[] = [
  ['lenet5', 60_850, () => createModel('lenet5')],
  ['lenet5 with sigmoid', 60_850, () => createModel('lenet5', { squash: 'sigmoid' })],
  ['lenet5_modern', 1_631_080, () => createModel('lenet5_modern')],
  ['alexnet', 61_100_840, () => createModel('alexnet')],
  ['alexnet_original', 60_965_224, () => createModel('alexnet_original')],
  ['alexnet_original, one group', 62_378_344, () => createModel('alexnet_original', { groups: 1 })],
  ['caffenet', 60_965_224, () => createModel('caffenet')],
  ['vgg11', 132_863_336, () => createModel('vgg11')],
  ['vgg13', 133_047_848, () => createModel('vgg13')],
  ['vgg16', 138_357_544, () => createModel('vgg16')],
  ['vgg19', 143_667_240, () => createModel('vgg19')],
  ['vgg16, global pooling', 37_694_248, () => vgg16({ pooling: 'global' })],
  ['vgg19, global pooling', 43_003_944, () => vgg19({ pooling: 'global' })],
  ['googlenet', 13_004_888, () => createModel('googlenet')],
  ['googlenet without heads', 6_624_904, () => createModel('googlenet', { auxiliary: false })],
  ['googlenet_original', 13_378_280, () => createModel('googlenet_original')],
  [
    'googlenet_original without heads',
    6_998_552,
    () => createModel('googlenet_original', { auxiliary: false }),
  ],
  ['inception_v3', 27_161_264, () => createModel('inception_v3')],
  ['inception_v3 without head', 23_834_568, () => createModel('inception_v3', { auxiliary: false })],
  ['resnet18', 11_689_512, () => createModel('resnet18')],
  ['resnet34', 21_797_672, () => createModel('resnet34')],
  ['resnet50', 25_557_032, () => createModel('resnet50')],
  ['resnet50 v1', 25_557_032, () => resnet50({ version: 'v1' })],
  // The biases of its 53 convolutions.
  ['resnet50 with biases', 25_557_032 + 26_560, () => resnet50({ version: 'v1', bias: true })],
  ['resnet101', 44_549_160, () => createModel('resnet101')],
  ['resnet152', 60_192_808, () => createModel('resnet152')],
  ['resnet20', 269_722, () => createModel('resnet20')],
  ['resnet20, option B', 272_474, () => resnet20({ shortcut: 'B' })],
  ['plain20', 269_722, () => createModel('plain20')],
  ['resnet32', 464_154, () => createModel('resnet32')],
  ['resnet44', 658_586, () => createModel('resnet44')],
  ['resnet56', 853_018, () => createModel('resnet56')],
  ['resnet110', 1_727_962, () => createModel('resnet110')],
  ['densenet121', 7_978_856, () => createModel('densenet121')],
  ['densenet161', 28_681_000, () => createModel('densenet161')],
  ['densenet169', 14_149_480, () => createModel('densenet169')],
  ['densenet201', 20_013_928, () => createModel('densenet201')],
  ['densenet264', 33_337_704, () => createModel('densenet264')],
  ['densenet_bc', 769_162, () => createModel('densenet_bc')],
]

describe('number of parameters', () => {
  it.each(COUNTS)('%s has %i', (_what, count, model) => {
    expect(model().parameterCount).toBe(count)
  })

  it('grows layer by layer in LeNet-5 as in the paper', () => {
    const counts: Record<string, number> = {}
    for (const { name, shape } of lenet5().parameters) {
      const layer = name.split('.')[0]!
      counts[layer] = (counts[layer] ?? 0) + elementCount(shape)
    }
    expect(counts).toEqual({ c1: 156, s2: 12, c3: 1_516, s4: 32, c5: 48_120, f6: 10_164, output: 850 })
  })

  it('counts every head once more for other numbers of classes', () => {
    expect(createModel('googlenet', { classes: 10 }).parameterCount).toBe(13_004_888 - 990 * (1025 * 3))
    expect(createModel('resnet50', { classes: 10 }).parameterCount).toBe(25_557_032 - 990 * 2049)
  })
})

describe('state dict', () => {
  it.each(TORCHVISION_NETWORKS)(
    '%s has the names, shapes and roles of its published checkpoint',
    (network) => {
      const model: AnyModel = createModel(network)
      const roles = fixtureRoles(model)
      const parameters = model.parameters.map(({ name, shape }) => [name, shape, roles.get(name) ?? 'count'])
      expect(parameters).toEqual(readReference(network).parameters)
    },
  )

  it('keeps the old spelling of published DenseNets readable', () => {
    const { checkpointName } = createModel('densenet121').info
    const published = 'features.denseblock1.denselayer12.norm.1.running_mean'
    expect(checkpointName?.(published)).toBe('features.denseblock1.denselayer12.norm1.running_mean')
    expect(checkpointName?.('features.denseblock4.denselayer2.conv.2.weight')).toBe(
      'features.denseblock4.denselayer2.conv2.weight',
    )
    for (const { name } of createModel('densenet121').parameters) expect(checkpointName?.(name)).toBe(name)
  })

  it('names the CIFAR networks as published', () => {
    const names = createModel('resnet20').parameters.map(({ name }) => name)
    expect(names.slice(0, 2)).toEqual(['conv1.weight', 'bn1.weight'])
    expect(names).toContain('layer3.2.conv2.weight')
    expect(names.filter((name) => name.includes('shortcut'))).toEqual([])
    expect(names.slice(-2)).toEqual(['linear.weight', 'linear.bias'])
    const projections = resnet20({ shortcut: 'B' }).parameters.map(({ name }) => name)
    expect(projections.filter((name) => name.endsWith('shortcut.0.weight'))).toEqual([
      'layer2.0.shortcut.0.weight',
      'layer3.0.shortcut.0.weight',
    ])
  })

  it('gives every network unique, non-empty parameter names', () => {
    for (const name of modelNames) {
      const names = createModel(name).parameters.map((parameter) => parameter.name)
      expect(new Set(names).size, name).toBe(names.length)
      expect(
        names.every((parameter) => /^\w+(\.\w+)*\.\w+$/.test(parameter)),
        name,
      ).toBe(true)
    }
  })
})

describe('registry', () => {
  it('makes every network under its own name', () => {
    for (const name of modelNames) expect(createModel(name).name).toBe(name)
  })

  it('says which names are near a misspelt one', () => {
    expect(() => parseModelName('ResNet-50')).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('resnet50') as string,
      }),
    )
    expect(() => parseModelName('inceptionv3')).toThrow(/did you mean inception_v3/)
    expect(() => parseModelName('transformer')).toThrow(/there are lenet5, /)
    expect(() => parseModelName('toString')).toThrow(InvalidArgumentError)
    expect(isModelName('resnet50')).toBe(true)
    // @ts-expect-error: no such network
    expect(() => createModel('resnet51')).toThrow(/no network 'resnet51'; did you mean resnet50/)
  })

  it('says which options there are in place of one that there is not', () => {
    // @ts-expect-error: no such option
    expect(() => createModel('resnet50', { clases: 10 })).toThrow(
      "resnet50 has no option 'clases'; there are classes, version, bias, eps, residual, zeroInitResidual",
    )
    // @ts-expect-error: an option of another network
    expect(() => createModel('vgg16', { shortcut: 'B' })).toThrow("vgg16 has no option 'shortcut'")
    // @ts-expect-error: no such version
    expect(() => createModel('resnet50', { version: 'v2' })).toThrow(
      'resnet50: version must be "v1" or "v1.5", got "v2"',
    )
  })

  it('refuses numbers of classes that are none', () => {
    for (const name of modelNames)
      for (const classes of [0, -1, 1.5, Number.NaN])
        expect(() => createModel(name, { classes }), name).toThrow(/classes must be a positive integer/)
  })

  it('refuses DenseNet shapes that do not add up', () => {
    expect(() => createModel('densenet_bc', { depth: 101 })).toThrow(/depth must be 6n \+ 4/)
    expect(() => createModel('densenet121', { compression: 0 })).toThrow(/compression must be above 0/)
    expect(() => createModel('densenet121', { growth: 0 })).toThrow(/growth must be a positive integer/)
    expect(createModel('densenet_bc', { depth: 190, growth: 40 }).parameterCount).toBe(25_624_430)
  })
})
