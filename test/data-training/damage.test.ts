import { copyFileSync, mkdtempSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { TORCHVISION_AUGMENTATION } from '../../ts/data/augment/augmentations.js'
import { drawMixture, mixImages } from '../../ts/data/augment/mixup.js'
import type { Transform } from '../../ts/data/augment/transform.js'
import type { Dataset } from '../../ts/data/datasets/dataset.js'
import { FolderDataset } from '../../ts/data/datasets/folder.js'
import { stream } from '../../ts/data/draws.js'
import { loader, type LoaderOptions } from '../../ts/data/loader/loader.js'
import { MNIST } from '../../ts/data/preprocessing.js'
import { ImageError } from '../../ts/errors.js'
import { sameBits, temporaryFolder } from '../data-loading/helpers.js'
import { all, contents, memoryDataset, PLAIN, writeImages } from './helpers.js'

const folder = temporaryFolder()
const OPTIONS = {
  batch: 4,
  preprocessing: PLAIN,
  transforms: TORCHVISION_AUGMENTATION,
  shuffle: false,
} as const

let good: string[]
beforeAll(async () => {
  good = await writeImages(folder, 3, 4)
})

/** Twelve files, some of them cut off. */
function damaged(...which: number[]): FolderDataset {
  const copies = mkdtempSync(join(folder, 'damaged-'))
  const files = good.map((path, i) => {
    const copy = join(copies, `${i}.jpg`)
    copyFileSync(path, copy)
    if (which.includes(i)) truncateSync(copy, readFileSync(path).length - 40)
    return { path: copy, label: Math.floor(i / 4) }
  })
  return new FolderDataset('damaged', ['a', 'b', 'c'], files)
}

const failure = async (dataset: Dataset, options: LoaderOptions) =>
  all(loader(dataset, options)).then(
    () => undefined,
    (error: unknown) => error as Error & { code: string },
  )

describe('a damaged image', () => {
  for (const workers of [0, 1])
    it(`ends the epoch by name, with ${workers} workers`, async () => {
      const dataset = damaged(6)
      const seen: number[] = []
      const rest = (async () => {
        for await (const { indices } of loader(dataset, { ...OPTIONS, workers })) seen.push(...indices)
      })()
      await expect(rest).rejects.toThrow(ImageError)
      await expect(rest).rejects.toMatchObject({ code: 'IMAGE', subject: dataset.path(6) })
      await expect(rest).rejects.toThrow(`cannot read ${dataset.path(6)}: `)
      // What came before it is given.
      expect(seen).toEqual([0, 1, 2, 3])
    })

  it('gives its place to the next good one, and is told once', async () => {
    const dataset = damaged(1, 3, 4, 11)
    const options = { ...OPTIONS, onError: 'skip', mixup: { alpha: 1 } } as const
    const batches = await all(loader(dataset, { ...options, workers: 0 }))
    expect(batches.map(({ indices }) => indices)).toEqual([
      [0, 2, 2, 5],
      [5, 5, 6, 7],
      [8, 9, 10, 0],
    ])
    expect(batches.map(({ labels }) => [...labels])).toEqual([
      [0, 0, 0, 1],
      [1, 1, 1, 1],
      [2, 2, 2, 0],
    ])
    expect(batches.map(({ skipped }) => skipped.map(({ index, name }) => [index, name]))).toEqual([
      [1, 3].map((i) => [i, dataset.path(i)]),
      [4].map((i) => [i, dataset.path(i)]),
      [11].map((i) => [i, dataset.path(i)]),
    ])
    expect(batches[0]!.skipped[0]!.error).toBeInstanceOf(ImageError)
    expect(batches[0]!.skipped[0]!.error.message).toContain(dataset.path(1))
    for (const workers of [1, 2])
      expect(contents(await all(loader(dataset, { ...options, workers })))).toEqual(contents(batches))
    // Mixed once, when everything is there.
    const plain = await all(loader(dataset, { ...options, mixup: undefined, workers: 0 }))
    for (const [number, { images }] of plain.entries()) {
      mixImages(images.data, drawMixture({ alpha: 1 }, 4, stream('mixup', 0, 0, number)))
      expect(sameBits(batches[number]!.images.data, images.data)).toBe(true)
    }
    const resumed = await all(loader(dataset, { ...options, workers: 1, skip: 1 }))
    expect(contents(resumed)).toEqual(contents(batches.slice(1)))
  })

  it('is an error again when no good one is left', async () => {
    const everything = damaged(...Array(12).keys())
    const error = await failure(everything, { ...OPTIONS, onError: 'skip', workers: 1 })
    expect(error).toMatchObject({ code: 'DATASET' })
    expect(error!.message).toContain('12 examples in a row cannot be read')
    const gone = Array.from({ length: 300 }, (_, i) => ({ path: join(folder, `gone${i}`), label: 0 }))
    const missing = await failure(new FolderDataset('gone', ['a'], gone), {
      ...OPTIONS,
      onError: 'skip',
      workers: 1,
    })
    expect(missing!.message).toMatch(/^100 examples in a row .*gone0: no such file$/)
  })

  it('may come from a data set of the user', async () => {
    const whole = memoryDataset(8)
    const dataset = (problem: Error): Dataset => ({
      name: 'mine',
      classes: whole.classes,
      size: 8,
      label: (index) => whole.label(index),
      get: (index) => (index === 2 ? Promise.reject(problem) : whole.get(index)),
    })
    const broken = dataset(new ImageError('row 2 holds no pixels'))
    for (const workers of [0, 1]) {
      expect(await failure(broken, { ...OPTIONS, workers })).toMatchObject({
        code: 'IMAGE',
        message: 'example 2 of mine: row 2 holds no pixels',
      })
      const skipping = { ...OPTIONS, workers, onError: 'skip', mixup: { alpha: 1 } } as const
      const [batch] = await all(loader(broken, skipping))
      expect(batch!.indices).toEqual([0, 1, 3, 3])
      // Mixed once everything is there.
      const [plain] = await all(loader(broken, { ...skipping, mixup: undefined }))
      const expected = plain!.images.data.slice()
      mixImages(expected, drawMixture({ alpha: 1 }, 4, stream('mixup', 0, 0, 0)))
      expect(sameBits(batch!.images.data, expected)).toBe(true)
      expect(sameBits(batch!.images.data, plain!.images.data)).toBe(false)
      // What is no fault of an image is never skipped.
      const bug = dataset(new TypeError('a mistake'))
      expect(await failure(bug, skipping)).toMatchObject({ name: 'TypeError', message: 'a mistake' })
    }
  })

  it('may be one that is too small', async () => {
    const transforms = [{ kind: 'randomCrop' }] as const
    const tiny = memoryDataset(4, 7)
    for (const workers of [0, 1])
      expect(await failure(tiny, { ...OPTIONS, transforms, workers })).toMatchObject({
        code: 'IMAGE',
        message: 'example 0 of synthetic: 7 x 7 pixels with a padding of 0 hold no crop of 8 x 8',
      })
  })
})

it('a label without a class is refused before anything is read', () => {
  const files = good.map((path, i) => ({ path, label: i }))
  const dataset = new FolderDataset('mislabelled', ['a', 'b', 'c'], files)
  expect(() => loader(dataset, OPTIONS)).toThrow('mislabelled: label 3 of example 3 is not one of 0 to 2')
  const fraction = new FolderDataset('fraction', ['a', 'b'], [{ path: good[0]!, label: 0.5 }])
  expect(() => loader(fraction, { ...OPTIONS, batch: 1 })).toThrow('label 0.5')
})

describe('a wrong option', () => {
  const refusal = (options: Partial<LoaderOptions>) => {
    try {
      loader(memoryDataset(8), { ...OPTIONS, ...options })
    } catch (error) {
      const { code, subject } = error as { code?: string; subject?: string }
      return `${code} ${subject}`
    }
    return 'taken'
  }

  it('is named', () => {
    expect(refusal({})).toBe('taken')
    expect(refusal({ batch: 0 })).toBe('INVALID_ARGUMENT batch')
    expect(refusal({ batch: 1.5 })).toBe('INVALID_ARGUMENT batch')
    expect(refusal({ workers: -1 })).toBe('INVALID_ARGUMENT workers')
    expect(refusal({ ahead: Infinity })).toBe('INVALID_ARGUMENT ahead')
    expect(refusal({ seed: -1 })).toBe('INVALID_ARGUMENT seed')
    expect(refusal({ epoch: 2 ** 32 })).toBe('INVALID_ARGUMENT epoch')
    expect(refusal({ skip: 3 })).toBe('INVALID_ARGUMENT skip')
    expect(refusal({ mixup: { alpha: 0 } })).toBe('INVALID_ARGUMENT alpha')
    expect(refusal({ preprocessing: { ...PLAIN, mean: [0] } })).toBe('INVALID_ARGUMENT mean')
  })

  it('is named among transforms', () => {
    const of = (...transforms: Transform[]) => refusal({ transforms })
    const crop = { kind: 'randomCrop' } as const
    const flip = { kind: 'horizontalFlip' } as const
    const light = { kind: 'lighting' } as const
    expect(of({ kind: 'resizeShorter', to: [8, 9] }, crop, flip, light, { kind: 'colourJitter' })).toBe(
      'taken',
    )
    expect(of({ kind: 'blur' } as unknown as Transform)).toBe('INVALID_ARGUMENT kind')
    expect(of(flip, crop)).toBe('INVALID_ARGUMENT randomCrop')
    expect(of(crop, crop)).toBe('INVALID_ARGUMENT randomCrop')
    expect(of(light, flip)).toBe('INVALID_ARGUMENT horizontalFlip')
    expect(of({ kind: 'resizeShorter', to: 8 }, { kind: 'randomResizedCrop' })).toBe(
      'INVALID_ARGUMENT randomResizedCrop',
    )
    expect(of({ kind: 'resizeShorter', to: 7 })).toBe('INVALID_ARGUMENT to')
    expect(of({ kind: 'resizeShorter', to: [10, 9] })).toBe('INVALID_ARGUMENT to')
    expect(of({ kind: 'randomResizedCrop', scale: [0, 1] })).toBe('INVALID_ARGUMENT scale')
    expect(of({ kind: 'randomResizedCrop', ratio: [2, 1] })).toBe('INVALID_ARGUMENT ratio')
    expect(of({ kind: 'randomCrop', padding: -1 })).toBe('INVALID_ARGUMENT padding')
    expect(of({ kind: 'horizontalFlip', probability: 1.1 })).toBe('INVALID_ARGUMENT probability')
    expect(of({ kind: 'lighting', deviation: NaN })).toBe('INVALID_ARGUMENT deviation')
    expect(of({ kind: 'colourJitter', hue: 0.6 })).toBe('INVALID_ARGUMENT hue')
    const grey = { ...MNIST, size: 8, resize: 8 }
    expect(refusal({ transforms: [light], preprocessing: grey })).toBe('INVALID_ARGUMENT lighting')
    expect(refusal({ transforms: [crop, flip], preprocessing: grey })).toBe('taken')
  })
})
