import sharp from 'sharp'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ArrayDataset } from '../../ts/data/datasets/dataset.js'
import type { Image } from '../../ts/data/image.js'
import type { TrainingBatch } from '../../ts/data/loader/batch.js'
import { CIFAR, type Preprocessing } from '../../ts/data/preprocessing.js'
import { RandomStream } from '../../ts/random.js'

/** Bytes as they are: what a transform does to pixels can be read off. */
export const PLAIN: Preprocessing = {
  ...CIFAR,
  size: 8,
  resize: 8,
  scale: 1,
  mean: [0, 0, 0],
  deviation: [1, 1, 1],
}

/** A stream that gives these numbers in [0, 1), one after the other. */
export function drawing(...numbers: number[]): RandomStream {
  const random = new RandomStream(0, 0)
  random.uniform = () => {
    if (numbers.length === 0) throw new Error('more was drawn than expected')
    return numbers.shift()!
  }
  return random
}

/** An image of one channel, row by row. */
export function grey(rows: readonly (readonly number[])[]): Image {
  return { width: rows[0]!.length, height: rows.length, channels: 1, data: Uint8Array.from(rows.flat()) }
}

export function rowsOf({ width, height, data }: Image): number[][] {
  return Array.from({ length: height }, (_, y) => [...data.subarray(y * width, (y + 1) * width)])
}

/** Small images in memory, each of its own pixels; the label of an example is its index modulo 10. */
export function memoryDataset(size: number, side = 8): ArrayDataset {
  const data = Uint8Array.from({ length: size * side * side * 3 }, (_, i) => (i * 2654435761) >>> 24)
  const labels = Uint8Array.from({ length: size }, (_, i) => i % 10)
  const classes = Array.from({ length: 10 }, (_, i) => `class ${i}`)
  return new ArrayDataset('synthetic', classes, { width: side, height: side, channels: 3, data }, labels)
}

/** JPEGs of 40 x 30 pixels in one folder a class; returns their paths. */
export async function writeImages(root: string, classes: number, each: number): Promise<string[]> {
  const paths: string[] = []
  for (let c = 0; c < classes; c++) {
    mkdirSync(join(root, `class${c}`), { recursive: true })
    for (let i = 0; i < each; i++) {
      const path = join(root, `class${c}`, `${i}.jpg`)
      const background = { r: 80 * c, g: 40 * i, b: 200 - 30 * i }
      await sharp({ create: { width: 40, height: 30, channels: 3, background } })
        .jpeg()
        .toFile(path)
      paths.push(path)
    }
  }
  return paths
}

/** What must be equal of two epochs. */
export function contents(batches: readonly TrainingBatch<'f32' | 'u8'>[]) {
  return batches.map(({ images, labels, soft, indices, skipped }) => ({
    shape: images.shape,
    dtype: images.dtype,
    images: Buffer.from(images.data.buffer).toString('base64'),
    labels: [...labels],
    soft: soft && [...soft.data],
    indices,
    skipped: skipped.map(({ index, name, error }) => ({ index, name, message: error.message })),
  }))
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
