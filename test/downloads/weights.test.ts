import { describe, expect, it } from 'vitest'
import { imagenetLabels } from '../../models/imagenet-labels.js'
import { isWeightsName, labelNames, WEIGHTS_NAMES, weightsEntry, weightsOf } from '../../models/weights.js'
import { checkPreprocessing } from '../../ts/data/preprocessing.js'
import { InvalidArgumentError } from '../../ts/errors.js'
import { cachedPath } from '../../ts/io/download.js'

describe('published weights', () => {
  it.each(WEIGHTS_NAMES)('%s is described completely', (name) => {
    const { model, source, preprocessing, accuracy, licence, labels } = weightsEntry(name)
    expect(name.startsWith(`${model}.`)).toBe(true)
    expect(source.sha256).toMatch('npm' in source ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{8}$/)
    checkPreprocessing(preprocessing)
    expect(licence).not.toBe('')
    expect(labelNames(labels).length).toBe({ imagenet: 1000, cifar10: 10, mnist: 10, nsfw: 5 }[labels])
    if (accuracy?.top5 !== undefined) expect(accuracy.top5).toBeGreaterThan(accuracy.top1)
  })

  it('lie in different places', () => {
    const paths = WEIGHTS_NAMES.map((name) => cachedPath(weightsEntry(name).source, { cache: '/c' }))
    expect(new Set(paths).size).toBe(paths.length)
  })

  it('tell what their network must do with its input', () => {
    const transforming = WEIGHTS_NAMES.filter((name) => weightsEntry(name).transformInput)
    expect(transforming).toEqual(['googlenet.tv_in1k', 'inception_v3.tv_in1k'])
    expect(weightsEntry('inception_v3.tv_in1k').preprocessing).toMatchObject({ size: 299, resize: 342 })
    expect(weightsEntry('resnet50.tv2_in1k').preprocessing).toMatchObject({ size: 224, resize: 232 })
    expect(weightsEntry('resnet50.keras_in1k').preprocessing.channels).toBe('BGR')
  })

  it('are found by network, those that npm has before others', () => {
    expect(weightsOf('resnet50')).toEqual(['resnet50.keras_in1k', 'resnet50.tv_in1k', 'resnet50.tv2_in1k'])
    expect(weightsOf('resnet20')).toEqual(['resnet20.cifar10'])
    expect(weightsOf('none')).toEqual([])
  })

  it('do not include others', () => {
    expect(isWeightsName('toString')).toBe(false)
    expect(() => weightsEntry('resnet50')).toThrow(InvalidArgumentError)
    expect(() => weightsEntry('resnet50')).toThrow(/resnet50\.tv_in1k/)
  })
})

it('the labels of ImageNet are in index order', () => {
  const labels = imagenetLabels()
  expect(labels).toHaveLength(1000)
  const known = {
    0: 'tench',
    285: 'Egyptian cat',
    387: 'lesser panda',
    967: 'espresso',
    999: 'toilet tissue',
  }
  for (const [index, name] of Object.entries(known)) expect(labels[Number(index)]!.split(', ')[0]).toBe(name)
  // Two classes are called crane, the bird and the machine; all others have names of their own.
  expect(new Set(labels).size).toBe(999)
})
