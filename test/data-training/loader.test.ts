import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CIFAR_AUGMENTATION, INCEPTION_AUGMENTATION } from '../../ts/data/augment/augmentations.js'
import { openDataset } from '../../ts/data/datasets/open.js'
import type { Dataset } from '../../ts/data/datasets/dataset.js'
import { batchesAnEpoch, loader, type LoaderOptions } from '../../ts/data/loader/loader.js'
import { loadExamples } from '../../ts/data/datasets/batches.js'
import { CAFFE, MNIST } from '../../ts/data/preprocessing.js'
import { temporaryFolder } from '../data-loading/helpers.js'
import { all, contents, memoryDataset, PLAIN, writeImages } from './helpers.js'

const memory = memoryDataset(37)
const OPTIONS = {
  batch: 5,
  preprocessing: PLAIN,
  transforms: CIFAR_AUGMENTATION,
  seed: 7,
  epoch: 3,
  mixup: { alpha: 1 },
} as const

const folder = temporaryFolder()
const root = temporaryFolder()
const files = writeImages(folder, 3, 4)
const FILES = { batch: 4, preprocessing: PLAIN, transforms: INCEPTION_AUGMENTATION, seed: 1 } as const

const load = async (dataset: Dataset, options: LoaderOptions<'f32' | 'u8'>) =>
  contents(await all(loader(dataset, options)))

const indices = (batches: readonly { readonly indices: readonly number[] }[]) =>
  batches.flatMap((batch) => batch.indices)

describe('the same seed', () => {
  it('gives the same batches from 0, 1 and 2 workers, of images in memory', async () => {
    const expected = await load(memory, { ...OPTIONS, workers: 0 })
    expect(expected).toHaveLength(7)
    expect(await load(memory, { ...OPTIONS, workers: 1 })).toEqual(expected)
    expect(await load(memory, { ...OPTIONS, workers: 2, ahead: 5 })).toEqual(expected)
    expect(await load(memory, { ...OPTIONS, workers: 1, ahead: 0 })).toEqual(expected)
  })

  it('gives the same batches from 0, 1 and 2 workers, of files', async () => {
    await files
    const dataset = await openDataset(folder, { split: 'train' })
    const expected = await load(dataset, { ...FILES, workers: 0 })
    expect(await load(dataset, { ...FILES, workers: 1 })).toEqual(expected)
    expect(await load(dataset, { ...FILES, workers: 2 })).toEqual(expected)
    // A data set that does not tell its files is decoded by itself, to the same pixels.
    const { name, classes, size } = dataset
    const own: Dataset = { name, classes, size, label: (i) => dataset.label(i), get: (i) => dataset.get(i) }
    expect(await load(own, { ...FILES, workers: 1 })).toEqual(expected)
  })

  it('gives the rest of an epoch after some batches', async () => {
    const whole = await load(memory, { ...OPTIONS, workers: 1 })
    for (const skip of [1, 4])
      expect(await load(memory, { ...OPTIONS, workers: 1, skip })).toEqual(whole.slice(skip))
    expect(await load(memory, { ...OPTIONS, workers: 1, skip: 7 })).toEqual([])
  })

  it('augments an example alike wherever it comes', async () => {
    const options = { ...OPTIONS, mixup: undefined, workers: 0, dropLast: false }
    const byIndex = async (extra: { shuffle?: boolean; batch?: number }) => {
      const images: string[] = []
      for await (const { images: batch, indices } of loader(memory, { ...options, ...extra }))
        for (const [i, index] of indices.entries())
          images[index] = batch.data.subarray(i * 192, (i + 1) * 192).join()
      return images
    }
    const shuffled = await byIndex({})
    expect(new Set(shuffled).size).toBe(37)
    expect(await byIndex({ shuffle: false })).toEqual(shuffled)
    expect(await byIndex({ batch: 9 })).toEqual(shuffled)
    const sorted = indices(await load(memory, { ...options, shuffle: false }))
    expect(sorted).toEqual(Array.from({ length: 37 }, (_, i) => i))
  })
})

describe('seed and epoch', () => {
  it('decide order and augmentation', async () => {
    const options = { ...OPTIONS, mixup: undefined, workers: 0 }
    const variants = await Promise.all([
      load(memory, options),
      load(memory, { ...options, epoch: 4 }),
      load(memory, { ...options, seed: 8 }),
      load(memory, { ...options, seed: 7 + 2 ** 32 }),
    ])
    expect(new Set(variants.map((batches) => String(indices(batches)))).size).toBe(4)
    const unshuffled = await Promise.all(
      [0, 1].map((epoch) => load(memory, { ...options, epoch, shuffle: false })),
    )
    expect(indices(unshuffled[0]!)).toEqual(indices(unshuffled[1]!))
    expect(unshuffled[0]![0]!.images).not.toBe(unshuffled[1]![0]!.images)
  })

  it('visit every example once', async () => {
    const visited = indices(await load(memory, { ...OPTIONS, workers: 0, dropLast: false }))
    expect(visited.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 37 }, (_, i) => i))
    expect(visited).not.toEqual(visited.toSorted((a, b) => a - b))
  })

  it('shuffle evenly', async () => {
    const first = new Array<number>(5).fill(0)
    const five = memoryDataset(5, 1)
    const preprocessing = { ...PLAIN, size: 1, resize: 1 }
    for (let epoch = 0; epoch < 400; epoch++) {
      const { value } = await loader(five, { batch: 1, preprocessing, epoch, workers: 0, ahead: 0 }).next()
      first[value!.indices[0]!]!++
    }
    // Three deviations of a binomial of 400 and 1/5
    for (const count of first) expect(Math.abs(count - 80)).toBeLessThan(25)
  })
})

describe('a batch', () => {
  it('holds images, labels and indices', async () => {
    const [first, ...rest] = await all(loader(memory, { batch: 8, preprocessing: PLAIN, workers: 1 }))
    expect(rest).toHaveLength(3)
    expect(first!.images.shape).toEqual([8, 3, 8, 8])
    expect([...first!.labels]).toEqual(first!.indices.map((index) => index % 10))
    expect(first!.skipped).toEqual([])
  })

  it('without augmentation is that of an evaluation', async () => {
    const options = { batch: 6, preprocessing: PLAIN, workers: 1, shuffle: false, dropLast: false }
    const given = await all(loader(memory, options))
    expect(given).toHaveLength(7)
    expect(given.at(-1)!.images.shape).toEqual([1, 3, 8, 8])
    const { images } = await loadExamples(memory, given[1]!.indices, PLAIN)
    expect(given[1]!.images).toEqual(images)
  })

  it('is normalised, padded and in the order of its channels', async () => {
    const preprocessing = { ...CAFFE, size: 6, resize: 8, padding: 1 }
    const options = { batch: 3, preprocessing, workers: 1, shuffle: false, skip: 2 }
    const [batch] = await all(loader(memoryDataset(9), options))
    expect(batch!.images).toEqual((await loadExamples(memoryDataset(9), [6, 7, 8], preprocessing)).images)
  })

  it('of bytes holds what the device would normalise', async () => {
    const preprocessing = { ...PLAIN, channels: 'BGR' } as const
    const options = { ...OPTIONS, preprocessing, mixup: undefined, workers: 1 }
    const planes = await all(loader(memory, options))
    const bytes = await all(loader(memory, { ...options, dtype: 'u8' }))
    const { images } = bytes[2]!
    expect(images.shape).toEqual([5, 8, 8, 3])
    expect(images.data).toBeInstanceOf(Uint8Array)
    images.data.forEach((byte, i) => {
      const [pixel, channel, image] = [Math.floor(i / 3) % 64, i % 3, Math.floor(i / 192)]
      expect(byte).toBe(planes[2]!.images.data[(image * 3 + channel) * 64 + pixel])
    })
  })

  it('shows grey images to an RGB network, and colours to a grey one', async () => {
    const [batch] = await all(loader(memory, { batch: 2, preprocessing: { ...MNIST, size: 8, resize: 8 } }))
    expect(batch!.images.shape).toEqual([2, 1, 8, 8])
  })
})

describe('numbers of batches', () => {
  it('drop the last or not', () => {
    expect(batchesAnEpoch(memory, { batch: 5 })).toBe(7)
    expect(batchesAnEpoch(memory, { batch: 5, dropLast: false })).toBe(8)
  })

  it('must not be zero', () => {
    const refused = (options: { batch: number; dropLast?: boolean }, size = 37) => {
      try {
        loader(memoryDataset(size), { preprocessing: PLAIN, ...options })
      } catch (error) {
        return (error as { code?: string }).code
      }
      return 'taken'
    }
    expect(refused({ batch: 38 })).toBe('DATASET')
    expect(refused({ batch: 38, dropLast: false })).toBe('taken')
    expect(refused({ batch: 1, dropLast: false }, 0)).toBe('DATASET')
    expect(() => loader(memory, { batch: 38, preprocessing: PLAIN })).toThrow(
      'synthetic holds 37 examples, too few for a batch of 38; a smaller batch, or dropLast: false, would take them',
    )
  })
})

it('an empty class folder is refused by name', async () => {
  mkdirSync(join(root, 'full'), { recursive: true })
  mkdirSync(join(root, 'hollow'))
  writeFileSync(join(root, 'full', 'a.jpg'), '')
  await expect(openDataset(root, { split: 'train' })).rejects.toMatchObject({
    code: 'DATASET',
    message: expect.stringContaining('hollow holds no image') as string,
  })
})
