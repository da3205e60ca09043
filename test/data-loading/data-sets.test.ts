import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { batches, loadExamples } from '../../ts/data/datasets/batches.js'
import { CIFAR10_CLASSES } from '../../ts/data/datasets/cifar10.js'
import { parseIdx, readIdx } from '../../ts/data/datasets/idx.js'
import { FASHION_MNIST_CLASSES } from '../../ts/data/datasets/mnist.js'
import { openDataset } from '../../ts/data/datasets/open.js'
import { CIFAR, MNIST } from '../../ts/data/preprocessing.js'
import { DatasetError, ImageError, InvalidArgumentError } from '../../ts/errors.js'
import { failure, pixel, sameBits, temporaryFolder } from './helpers.js'

const root = temporaryFolder()
let folders = 0
const freshFolder = async () => {
  const folder = join(root, String(folders++))
  await mkdir(folder)
  return folder
}

function idx(shape: readonly number[], data: Iterable<number>, type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length)
  header.set([0, 0, type, shape.length])
  shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i))
  return Buffer.concat([header, Uint8Array.from(data)])
}

/** `count` images whose first byte is their index. */
const images = (count: number) =>
  idx(
    [count, 28, 28],
    Array.from({ length: count * 784 }, (_, i) => (i % 784 === 0 ? i / 784 : i % 199)),
  )

async function mnistFolder(labels: readonly number[], count = labels.length, zip = false): Promise<string> {
  const folder = await freshFolder()
  const put = (name: string, bytes: Buffer) =>
    writeFile(join(folder, zip ? `${name}.gz` : name), zip ? gzipSync(bytes) : bytes)
  await put('t10k-images-idx3-ubyte', images(count))
  await put('t10k-labels-idx1-ubyte', idx([labels.length], labels))
  await put('train-images-idx3-ubyte', images(2))
  await put('train-labels-idx1-ubyte', idx([2], [7, 8]))
  return folder
}

const datasetError = async (promise: Promise<unknown>, message: RegExp) => {
  const error = await failure(promise)
  expect(error).toBeInstanceOf(DatasetError)
  expect(error.code).toBe('DATASET')
  expect(error.message).toMatch(message)
}

describe('IDX', () => {
  it('reads shape and elements, zipped or not', async () => {
    const folder = await freshFolder()
    const bytes = idx([2, 3], [1, 2, 3, 4, 5, 255])
    await writeFile(join(folder, 'plain'), bytes)
    await writeFile(join(folder, 'zipped'), gzipSync(bytes))
    for (const name of ['plain', 'zipped']) {
      const { shape, data } = await readIdx(join(folder, name))
      expect([shape, [...data]]).toEqual([
        [2, 3],
        [1, 2, 3, 4, 5, 255],
      ])
    }
  })

  it.each([
    ['an empty file', Buffer.alloc(0), /not an IDX file/],
    ['another kind of file', Buffer.from('PNG? no.'), /not an IDX file/],
    ['floats', idx([1], [0, 0, 0, 0], 0x0d), /type 13/],
    ['a cut header', idx([2, 3], []).subarray(0, 9), /header is cut off/],
    ['no dimensions', idx([], []), /header is cut off/],
    ['missing elements', idx([2, 3], [1, 2, 3, 4, 5]), /5 elements, but the header promises \[2, 3\]/],
    ['elements too many', idx([2], [1, 2, 3]), /3 elements/],
    ['absurd dimensions', idx([2 ** 32 - 1, 2 ** 32 - 1], [1]), /1 elements/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseIdx(bytes, 'some-file')).toThrow(DatasetError)
    expect(() => parseIdx(bytes, 'some-file')).toThrow(message)
    expect(() => parseIdx(bytes, 'some-file')).toThrow(/some-file/)
  })

  it('refuses a damaged gzip and a missing file', async () => {
    const folder = await freshFolder()
    await writeFile(
      join(folder, 'cut'),
      gzipSync(
        idx(
          [1000],
          Array.from({ length: 1000 }, (_, i) => (i * i) % 251),
        ),
      ).subarray(0, 100),
    )
    await datasetError(readIdx(join(folder, 'cut')), /cut/)
    await datasetError(readIdx(join(folder, 'none')), /none/)
  })
})

describe('MNIST and Fashion-MNIST', () => {
  it.each(['mnist', 'fashion-mnist'] as const)('%s from a folder, zipped or not, by split', async (name) => {
    for (const zip of [false, true]) {
      const folder = await mnistFolder([3, 0, 9], 3, zip)
      const test = await openDataset(name, { split: 'test', folder })
      expect([test.name, test.size, test.classes.length]).toEqual([name, 3, 10])
      expect([0, 1, 2].map((i) => test.label(i))).toEqual([3, 0, 9])
      const { image, label } = await test.get(2)
      expect([image.width, image.height, image.channels, image.data[0], label]).toEqual([28, 28, 1, 2, 9])
      expect((await openDataset(name, { split: 'train', folder })).size).toBe(2)
    }
    expect(FASHION_MNIST_CLASSES[9]).toBe('Ankle boot')
  })

  it('says how to get Fashion-MNIST', async () => {
    const folder = await freshFolder()
    await datasetError(
      openDataset('fashion-mnist', { split: 'test', folder }),
      /apt-get install dataset-fashion-mnist/,
    )
  })

  it('refuses labels without a class, and counts that differ', async () => {
    await datasetError(
      openDataset('mnist', { split: 'test', folder: await mnistFolder([3, 10]) }),
      /label 10 of example 1/,
    )
    await datasetError(
      openDataset('mnist', { split: 'test', folder: await mnistFolder([3, 1], 3) }),
      /3 images but 2 labels/,
    )
  })

  it('refuses images that are labels', async () => {
    const folder = await mnistFolder([1])
    await writeFile(join(folder, 't10k-images-idx3-ubyte'), idx([1], [1]))
    await datasetError(openDataset('mnist', { split: 'test', folder }), /\[N, H, W\]/)
  })

  it('refuses an index that is none', async () => {
    const test = await openDataset('mnist', { split: 'test', folder: await mnistFolder([1, 2]) })
    for (const index of [-1, 2, 0.5, NaN]) {
      expect(() => test.label(index)).toThrow(InvalidArgumentError)
      expect(await failure(test.get(index))).toBeInstanceOf(InvalidArgumentError)
    }
  })
})

/** Pixel `p` of image `n`: distinct values in each channel. */
const colour = (n: number, p: number) =>
  [(n * 31 + p) % 256, (n * 17 + p * 3) % 256, (n + p * 5) % 256] as const

async function sheets(folder: string, name: string, count: number): Promise<void> {
  const data = Buffer.alloc(count * 3072)
  for (let n = 0; n < count; n++) for (let p = 0; p < 1024; p++) data.set(colour(n, p), 3 * (n * 1024 + p))
  const png = sharp(data, { raw: { width: 1024, height: count, channels: 3 } }).png()
  await png.toFile(join(folder, `${name}.png`))
}

describe('CIFAR-10', () => {
  it('reads the sheets of the package', async () => {
    const folder = await freshFolder()
    await sheets(folder, 'test_batch', 3)
    for (let i = 1; i <= 5; i++) await sheets(folder, `data_batch_${i}`, i)
    await writeFile(join(folder, 'test_lables.json'), '[3, 8, 0]')
    await writeFile(
      join(folder, 'train_lables.json'),
      JSON.stringify(Array.from({ length: 15 }, (_, i) => i % 10)),
    )
    const test = await openDataset('cifar10', { split: 'test', folder })
    expect([test.size, test.classes[test.label(1)]]).toEqual([3, 'ship'])
    const { image } = await test.get(2)
    expect([image.width, image.height, image.channels]).toEqual([32, 32, 3])
    expect(pixel(image, 5, 9)).toEqual([...colour(2, 9 * 32 + 5)])
    const train = await openDataset('cifar10', { split: 'train', folder })
    expect(train.size).toBe(15)
    // The second image of the fifth sheet comes after 1 + 2 + 3 + 4 others.
    expect(pixel((await train.get(11)).image, 0, 0)).toEqual([...colour(1, 0)])
    expect(CIFAR10_CLASSES).toHaveLength(10)
  })

  it('reads the official binary files', async () => {
    const folder = await freshFolder()
    const record = (n: number, label: number) => {
      const bytes = Buffer.alloc(3073)
      bytes[0] = label
      for (let p = 0; p < 1024; p++) colour(n, p).forEach((value, c) => (bytes[1 + c * 1024 + p] = value))
      return bytes
    }
    await writeFile(join(folder, 'test_batch.bin'), Buffer.concat([record(0, 6), record(1, 9)]))
    const test = await openDataset('cifar10', { split: 'test', folder })
    expect([test.size, test.label(0), test.label(1)]).toEqual([2, 6, 9])
    expect(pixel((await test.get(1)).image, 31, 31)).toEqual([...colour(1, 1023)])

    await writeFile(join(folder, 'test_batch.bin'), record(0, 10))
    await datasetError(openDataset('cifar10', { split: 'test', folder }), /label 10/)
    await writeFile(join(folder, 'test_batch.bin'), record(0, 1).subarray(1))
    await datasetError(openDataset('cifar10', { split: 'test', folder }), /whole records/)
  })

  it.each([
    ['[3, 8]', /3 images but 2 labels/],
    ['[3, 8, 256]', /label 256/],
    ['[3, 8, "cat"]', /label cat/],
    ['{"0": 3}', /not a list/],
    ['[3, 8,', /cannot read/],
  ])('refuses the labels %s', async (labels, message) => {
    const folder = await freshFolder()
    await sheets(folder, 'test_batch', 3)
    await writeFile(join(folder, 'test_lables.json'), labels)
    await datasetError(openDataset('cifar10', { split: 'test', folder }), message)
  })

  it('refuses a missing sheet and one of another width', async () => {
    const folder = await freshFolder()
    await writeFile(join(folder, 'test_lables.json'), '[]')
    await datasetError(openDataset('cifar10', { split: 'test', folder }), /test_batch\.png: no such file/)
    await sharp({ create: { width: 32, height: 32, channels: 3, background: '#000' } })
      .png()
      .toFile(join(folder, 'test_batch.png'))
    await datasetError(openDataset('cifar10', { split: 'test', folder }), /1024 pixels wide, got 32/)
  })
})

async function paint(folder: string, names: readonly string[], red: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of names)
    await writeFile(
      join(folder, name),
      await sharp({ create: { width: 40, height: 48, channels: 3, background: { r: red, g: 0, b: 0 } } })
        .png()
        .toBuffer(),
    )
}

describe('folders of images', () => {
  it('are sorted by name, classes and images', async () => {
    const folder = await freshFolder()
    await paint(join(folder, 'b'), ['2.png', '10.PNG'], 20)
    await paint(join(folder, 'a'), ['x.png'], 10)
    await paint(join(folder, 'Z'), ['y.png'], 30)
    await writeFile(join(folder, 'b', 'notes.txt'), 'not an image')
    await writeFile(join(folder, 'b', '._2.png'), 'left by another system')
    await writeFile(join(folder, 'README'), 'beside the classes')
    const set = await openDataset(folder, { split: 'test' })
    expect(set.classes).toEqual(['Z', 'a', 'b'])
    expect(Array.from({ length: set.size }, (_, i) => set.label(i))).toEqual([0, 1, 2, 2])
    const whole = await set.get(2)
    expect([whole.label, whole.image.width, whole.image.height, whole.image.data[0]]).toEqual([2, 40, 48, 20])
    const { image } = await set.get(0, CIFAR)
    expect([image.width, image.height, image.data[0]]).toEqual([32, 32, 30])
  })

  it('have their splits in folders of their own', async () => {
    const folder = await freshFolder()
    await paint(join(folder, 'train', 'cat'), ['1.png', '2.png'], 1)
    await paint(join(folder, 'val', 'cat'), ['3.png'], 2)
    expect((await openDataset(folder, { split: 'train' })).size).toBe(2)
    const test = await openDataset(folder, { split: 'test' })
    expect([test.size, test.classes]).toEqual([1, ['cat']])
    await rm(join(folder, 'val'), { recursive: true })
    await datasetError(openDataset(folder, { split: 'test' }), /"train" but no folder for the split "test"/)
  })

  it('must exist, hold classes, and images in each', async () => {
    const folder = await freshFolder()
    await datasetError(
      openDataset(join(folder, 'none'), { split: 'test' }),
      /known data sets are mnist, fashion-mnist, cifar10/,
    )
    await datasetError(openDataset(folder, { split: 'test' }), /one folder a class/)
    await paint(join(folder, 'cat'), ['1.png'], 1)
    await mkdir(join(folder, 'dog'))
    await datasetError(openDataset(folder, { split: 'test' }), /dog holds no image/)
  })
})

describe('batches', () => {
  it('visit all examples in order, the last batch being short', async () => {
    const set = await openDataset('mnist', { split: 'test', folder: await mnistFolder([0, 1, 2, 3, 4]) })
    const seen = []
    for await (const { images, labels, indices } of batches(set, { size: 2, preprocessing: MNIST }))
      seen.push([images.shape, [...labels.data], indices, Math.round(images.data[0]! * 255)])
    expect(seen).toEqual([
      [[2, 1, 28, 28], [0, 1], [0, 1], 0],
      [[2, 1, 28, 28], [2, 3], [2, 3], 2],
      [[1, 1, 28, 28], [4], [4], 4],
    ])
  })

  it('follow the order that is asked for', async () => {
    const set = await openDataset('mnist', { split: 'test', folder: await mnistFolder([0, 1, 2]) })
    const { labels, images } = await loadExamples(set, [2, 0, 2], MNIST)
    expect([...labels.data]).toEqual([2, 0, 2])
    expect(sameBits(images.data.subarray(0, 784), images.data.subarray(2 * 784))).toBe(true)
  })

  it('load ahead, but not further than asked', async () => {
    const set = await openDataset('mnist', {
      split: 'test',
      folder: await mnistFolder([0, 1, 2, 3, 4, 5, 6, 7]),
    })
    const begun: number[] = []
    const watched = {
      ...set,
      name: set.name,
      classes: set.classes,
      size: set.size,
      label: set.label.bind(set),
    }
    const get = (index: number) => {
      begun.push(index)
      return set.get(index)
    }
    const walk = batches({ ...watched, get }, { size: 1, preprocessing: MNIST, ahead: 2 })
    await walk.next()
    expect(begun).toEqual([0, 1, 2])
    await walk.next()
    expect(begun).toEqual([0, 1, 2, 3])
    await walk.return()
  })

  it('fail at the bad image, whether awaited or not', async () => {
    const folder = await freshFolder()
    await paint(join(folder, 'cat'), ['1.png', '2.png'], 1)
    await writeFile(join(folder, 'cat', '3.png'), 'broken')
    const set = await openDataset(folder, { split: 'test' })
    const walk = batches(set, { size: 1, preprocessing: CIFAR })
    await walk.next()
    await walk.next()
    expect(await failure(walk.next())).toBeInstanceOf(ImageError)
    const stopped = batches(set, { size: 1, preprocessing: CIFAR })
    await stopped.next()
    await stopped.return()
    await new Promise((resolve) => setTimeout(resolve, 50))
  })

  it('examples are copies', async () => {
    const set = await openDataset('mnist', { split: 'test', folder: await mnistFolder([0, 1]) })
    const { image } = await set.get(1)
    image.data.fill(9)
    expect((await set.get(1)).image.data[0]).toBe(1)
  })
})
