import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lenet5, resnet20, resnet32 } from '../../models/index.js'
import { loadWeightsFile, type LoadedWeights } from '../../models/pretrained.js'
import { crops } from '../../ts/data/crops.js'
import { ArrayDataset, type Dataset } from '../../ts/data/datasets/dataset.js'
import { cropCentre, toTensor } from '../../ts/data/image.js'
import { withChannels, type Image } from '../../ts/data/pixels.js'
import { AbortError, BackendError, DatasetError, ImageError, InvalidArgumentError } from '../../ts/errors.js'
import { classify, evaluate, predict, type Classifier } from '../../ts/evaluate/index.js'
import { Model } from '../../ts/model/model.js'
import { Device } from '../../ts/runtime/device.js'
import { levels } from '../support/fixture-weights.js'

const CLASSES = Array.from({ length: 10 }, (_, i) => String(i))
const weights = (file: string) => new URL(`../data/checkpoints/cifar/${file}`, import.meta.url).pathname

let device: Device
let small: LoadedWeights
let large: LoadedWeights

beforeAll(async () => {
  device = await Device.open('cpu', { tuning: 'off' })
  small = await loadWeightsFile('resnet20', weights('resnet20-zip.pth'))
  large = await loadWeightsFile('resnet32', weights('resnet32-d509ac18.th'))
})
afterAll(() => {
  device.close()
})

/** Images of flat blocks. */
function images(count: number, side: number, channels: 1 | 3): Image[] {
  return Array.from({ length: count }, (_, n) => {
    const blocks = levels(`image ${n}`, 6 * 6 * channels)
    const data = Uint8Array.from({ length: side * side * channels }, (_, i) => {
      const [y, x] = [Math.floor(i / channels / side), Math.floor(i / channels) % side]
      const block = Math.floor((6 * y) / side) * 6 + Math.floor((6 * x) / side)
      return 127.5 * (1 + blocks[block * channels + (i % channels)]!)
    })
    return { width: side, height: side, channels, data }
  })
}

function dataset(pictures: readonly Image[], labels: readonly number[], classes = CLASSES): Dataset {
  const { width, height, channels } = pictures[0]!
  const data = Buffer.concat(pictures.map((image) => image.data))
  return new ArrayDataset('blocks', classes, { width, height, channels, data }, Uint8Array.from(labels))
}

/** Softmax of each view of each image. */
async function probabilities({ model, preprocessing }: Classifier, views: readonly Image[]) {
  const { data } = await predict(model, toTensor(views, preprocessing!), { device })
  return views.map((_, i) => {
    const powers = [...data.subarray(10 * i, 10 * (i + 1))].map(Math.exp)
    const sum = powers.reduce((a, b) => a + b)
    return powers.map((power) => power / sum)
  })
}

function average(all: readonly (readonly number[])[]): number[] {
  return all[0]!.map((_, i) => all.reduce((sum, one) => sum + one[i]!, 0) / all.length)
}

function best(scores: readonly number[]): number {
  return scores.indexOf(Math.max(...scores))
}

function centres(pictures: readonly Image[], { preprocessing }: Classifier): Promise<Image[]> {
  return Promise.all(pictures.map((image) => cropCentre(image, preprocessing!)))
}

test.each([1, 4, 10, 25])('the softmax is averaged over ten crops, at most %s a run', async (batch) => {
  const tight = { ...small, preprocessing: { ...small.preprocessing, resize: 44 } }
  const pictures = images(12, 48, 3)
  const labels: number[] = []
  for (const image of pictures)
    labels.push(best(average(await probabilities(tight, await crops(image, 10, tight.preprocessing)))))
  const data = dataset(pictures, labels)
  expect((await evaluate(tight, data, { device, crops: 10, batch })).correct).toBe(12)
  // Else this could not tell.
  expect((await evaluate(tight, data, { device, batch })).correct).toBeLessThan(12)
})

test('144 crops too', async () => {
  const pictures = images(2, 48, 3)
  const labels: number[] = []
  for (const image of pictures)
    labels.push(best(average(await probabilities(small, await crops(image, 144, small.preprocessing)))))
  const { correct } = await evaluate(small, dataset(pictures, labels), { device, crops: 144, batch: 50 })
  expect(correct).toBe(2)
})

test('the softmax is averaged over an ensemble, each network with its own view', async () => {
  const other = { ...large, preprocessing: { ...large.preprocessing, resize: 40 } }
  const pictures = images(60, 48, 3)
  const one = await probabilities(small, await centres(pictures, small))
  const two = await probabilities(other, await centres(pictures, other))
  const labels = pictures.map((_, i) => best(average([one[i]!, two[i]!])))
  const data = dataset(pictures, labels)
  const count = async (members: Classifier | readonly Classifier[]) =>
    (await evaluate(members, data, { device })).correct
  expect(await count([small, other])).toBe(60)
  expect(await count([other, small])).toBe(60)
  expect(await count(small)).toBeLessThan(60)
  expect(await count(other)).toBeLessThan(60)
  expect(await count([small, large])).toBeLessThan(60)
})

test('the fifth place counts among the first five, the sixth does not', async () => {
  const pictures = images(10, 32, 3)
  const labels = (await probabilities(small, pictures)).map((scores, i) => {
    const order = [...scores].sort((a, b) => b - a)
    return scores.indexOf(order[i < 3 ? 4 : 5]!)
  })
  const { top1, top5 } = await evaluate(small, dataset(pictures, labels), { device })
  expect({ top1, top5 }).toEqual({ top1: 0, top5: 0.3 })
})

test('grey images are shown to an RGB network as three equal channels', async () => {
  const pictures = images(10, 32, 1)
  const coloured = pictures.map((image) => withChannels(image, 3))
  const labels = (await probabilities(small, coloured)).map(best)
  expect((await evaluate(small, dataset(pictures, labels), { device })).correct).toBe(10)
})

test('LeNet-5 takes digits of 28 x 28 in a frame, and colours as their luma', async () => {
  const model = lenet5()
  const digits = images(10, 28, 1)
  const framed = toTensor(digits, { ...model.info.preprocessing })
  expect(framed.shape).toEqual([10, 1, 32, 32])
  const { data } = await predict(model, framed, { device })
  const labels = digits.map((_, i) => best([...data.subarray(10 * i, 10 * (i + 1))]))
  expect((await evaluate(model, dataset(digits, labels), { device })).correct).toBe(10)
  const coloured = digits.map((image) => withChannels(image, 3))
  expect((await evaluate(model, dataset(coloured, labels), { device })).correct).toBe(10)
})

test('the number of classes must be the same', async () => {
  const data = dataset(images(3, 32, 3), [0, 1, 2], ['a', 'b', 'c'])
  await expect(evaluate(small, data, { device })).rejects.toThrow(DatasetError)
  await expect(evaluate(small, data, { device })).rejects.toThrow('3 classes, but resnet20 tells 10 apart')
})

test('the next images are loaded while the device is busy', async () => {
  const pictures = images(40, 32, 3)
  const source = dataset(
    pictures,
    pictures.map((_, i) => i % 10),
  )
  let begun = 0
  const counting: Dataset = {
    ...{ name: source.name, classes: source.classes, size: source.size },
    label: (index) => source.label(index),
    get(index, preprocessing) {
      begun++
      return source.get(index, preprocessing)
    },
  }
  const seen: (readonly [number, number, number])[] = []
  const onProgress = (done: number, total: number) => seen.push([done, total, begun])
  const { images: counted } = await evaluate(small, counting, { device, batch: 8, limit: 36, onProgress })
  expect(counted).toBe(36)
  expect(seen.map(([done, total]) => [done, total])).toEqual([8, 16, 24, 32, 36].map((done) => [done, 36]))
  expect(seen[0]![2]).toBe(24)
  expect(begun).toBe(36)
})

test('an aborted evaluation ends, and programs give back their memory', async () => {
  const pictures = images(64, 32, 3)
  const labels = pictures.map(() => 0)
  await evaluate(small, dataset(pictures, labels), { device })
  const { live } = device.memory()
  const controller = new AbortController()
  let runs = 0
  const onProgress = () => {
    if (++runs === 2) controller.abort()
  }
  const options = { device, batch: 4, signal: controller.signal, onProgress }
  await expect(evaluate(small, dataset(pictures, labels), options)).rejects.toThrow(AbortError)
  expect(runs).toBe(2)
  expect(device.memory().live).toBe(live)
})

test('weights that give no numbers are told from wrong answers', async () => {
  const model = resnet20()
  await model.weights.set('linear.bias', new Float32Array(10).fill(NaN))
  const pictures = images(2, 32, 3)
  await expect(evaluate(model, dataset(pictures, [0, 0]), { device })).rejects.toThrow(BackendError)
})

test.each([{ batch: 0 }, { batch: 1.5 }, { limit: 0 }, { limit: NaN }])('%j is refused', async (options) => {
  const data = dataset(images(1, 32, 3), [0])
  await expect(evaluate(resnet32(), data, { device, ...options })).rejects.toThrow(InvalidArgumentError)
})

test('classify takes files and images in memory, and names the classes', async () => {
  const path = new URL('../data/images/chelsea.png', import.meta.url).pathname
  const labels = ['plane', 'car', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck']
  const [file, memory] = await classify({ ...small, labels }, [path, await readFile(path)], {
    device,
    top: 1,
  })
  expect(file!.image).toBe(path)
  expect(file!.predictions).toEqual([{ index: 3, label: 'cat', probability: expect.any(Number) as number }])
  expect(memory!.predictions).toEqual(file!.predictions)
  const { network, info } = small.model
  const model = new Model(network, { ...info, labels })
  for (const { name, role } of model.parameters)
    if (role !== 'counter') await model.weights.set(name, await small.model.weights.get(name))
  const [known] = await classify(model, [path], { device, top: 1 })
  expect(known!.predictions[0]!.label).toBe('cat')
  expect(await classify(small, [], { device })).toEqual([])
})

test('classify throws for a bad image unless told what to do with it', async () => {
  const good = new URL('../data/images/chelsea.png', import.meta.url).pathname
  const pictures = ['nothing.png', good, 'nowhere.png']
  await expect(classify(small, pictures, { device })).rejects.toThrow(ImageError)
  const bad: unknown[] = []
  const onImageError = (error: ImageError, image: unknown) => bad.push([error.subject, image])
  const results = await classify(small, pictures, { device, batch: 1, onImageError })
  expect(results.map(({ image }) => image)).toEqual([good])
  expect(bad).toEqual([
    ['nothing.png', 'nothing.png'],
    ['nowhere.png', 'nowhere.png'],
  ])
})
