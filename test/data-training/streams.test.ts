import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CIFAR_AUGMENTATION } from '../../ts/data/augment/augmentations.js'
import { loader } from '../../ts/data/loader/loader.js'
import { batchesFrom, type ImageItem } from '../../ts/data/loader/stream.js'
import { tensor } from '../../ts/tensor.js'
import { temporaryFolder } from '../data-loading/helpers.js'
import { all, contents, memoryDataset, PLAIN, writeImages } from './helpers.js'

const dataset = memoryDataset(13)
const OPTIONS = { batch: 4, classes: 10, preprocessing: PLAIN, transforms: CIFAR_AUGMENTATION, workers: 0 }

async function* items(count = 13) {
  for (let i = 0; i < count; i++) yield await dataset.get(i)
}

describe('a stream of images', () => {
  it('gives what a data set of them gives', async () => {
    for (const options of [
      { ...OPTIONS, mixup: { alpha: 0.5 }, seed: 3, epoch: 1 },
      { ...OPTIONS, workers: 2, dropLast: false },
      { ...OPTIONS, dtype: 'u8' as const },
    ]) {
      const expected = contents(await all(loader(dataset, { ...options, shuffle: false })))
      expect(contents(await all(batchesFrom(items(), options)))).toEqual(expected)
    }
    const list: ImageItem[] = []
    for await (const item of items()) list.push(item)
    expect(contents(await all(batchesFrom(list, OPTIONS)))).toEqual(
      contents(await all(loader(dataset, { ...OPTIONS, shuffle: false }))),
    )
  })

  it('takes paths, files in memory and parts of larger arrays', async () => {
    const [path] = await writeImages(temporaryFolder(), 1, 1)
    const bytes = readFileSync(path!)
    const padded = Buffer.concat([Buffer.alloc(100), bytes, Buffer.alloc(100)])
    const images = [path!, bytes, padded.subarray(100, 100 + bytes.length)]
    for (const workers of [0, 1]) {
      const options = { ...OPTIONS, transforms: [], workers, batch: 3 }
      const [batch] = await all(
        batchesFrom(
          images.map((image) => ({ image, label: 0 })),
          options,
        ),
      )
      const { data } = batch!.images
      const [first, second, third] = [0, 192, 384].map((start) => data.slice(start, start + 192))
      expect(second).toEqual(first)
      expect(third).toEqual(first)
      // Nothing of the user's was given away to another thread.
      expect(padded.length).toBe(bytes.length + 200)
    }
  })

  it('skips damaged ones within the batch', async () => {
    const broken = { image: Uint8Array.of(1, 2, 3), label: 1 }
    const good = await dataset.get(0)
    const stream = [good, broken, good, broken]
    const options = { ...OPTIONS, workers: 1 }
    await expect(all(batchesFrom(stream, options))).rejects.toMatchObject({
      code: 'IMAGE',
      message: expect.stringContaining('example 1: cannot read') as string,
    })
    const [batch] = await all(batchesFrom(stream, { ...options, onError: 'skip' }))
    expect(batch!.indices).toEqual([0, 2, 2, 0])
    expect(batch!.skipped.map(({ index }) => index)).toEqual([1, 3])
    await expect(
      all(batchesFrom([broken, broken, broken, broken], { ...options, onError: 'skip' })),
    ).rejects.toMatchObject({ code: 'DATASET' })
  })

  it('hands on what the stream throws, and refuses labels and too few examples', async () => {
    async function* failing() {
      yield* items(6)
      throw new RangeError('the cursor is gone')
    }
    const seen: number[] = []
    await expect(
      (async () => {
        for await (const { indices } of batchesFrom(failing(), OPTIONS)) seen.push(...indices)
      })(),
    ).rejects.toThrow(new RangeError('the cursor is gone'))
    expect(seen).toEqual([0, 1, 2, 3])
    await expect(all(batchesFrom(items(), { ...OPTIONS, classes: 6 }))).rejects.toMatchObject({
      code: 'DATASET',
      message: 'batch 1 of the stream: label 6 of example 2 is not one of 0 to 5',
    })
    await expect(all(batchesFrom(items(3), OPTIONS))).rejects.toThrow(
      'the stream ended after 3 examples, too few for a batch of 4',
    )
    await expect(all(batchesFrom([], OPTIONS))).rejects.toMatchObject({ code: 'DATASET' })
    expect(() => batchesFrom([], { ...OPTIONS, classes: 0 })).toThrow('classes must be an integer')
  })

  it('is not read further than needed, and told when nothing more is wanted', async () => {
    let read = 0
    let ended = false
    async function* endless() {
      try {
        for (;;) {
          read++
          yield await dataset.get(0)
        }
      } finally {
        ended = true
      }
    }
    for await (const { indices } of batchesFrom(endless(), { ...OPTIONS, ahead: 1 })) {
      expect(indices).toHaveLength(4)
      break
    }
    expect(read).toBeLessThanOrEqual(9)
    await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toBe(true)
  })
})

describe('a stream of tensors', () => {
  const item = (label: number, size = 2) => ({
    tensor: tensor(new Float32Array(size).fill(label), [size, 1, 1]),
    label,
  })

  it('is put together', async () => {
    const batches = await all(
      batchesFrom(
        [0, 1, 2, 3, 4].map((i) => item(i)),
        { batch: 2, classes: 5, dropLast: false },
      ),
    )
    expect(batches.map(({ images }) => [...images.data])).toEqual([
      [0, 0, 1, 1],
      [2, 2, 3, 3],
      [4, 4],
    ])
    expect(batches[1]).toMatchObject({ indices: [2, 3], skipped: [] })
    expect(batches[1]!.images.shape).toEqual([2, 2, 1, 1])
    expect([...batches[2]!.labels]).toEqual([4])
  })

  it('must be of one shape', async () => {
    await expect(all(batchesFrom([item(0), item(0, 3)], { batch: 2, classes: 1 }))).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: 'a batch holds tensors of [2, 1, 1] and [3, 1, 1]',
    })
  })
})
