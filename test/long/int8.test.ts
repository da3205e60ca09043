import { afterAll, beforeAll, expect, it } from 'vitest'
import { fileURLToPath } from 'node:url'
import { loadWeightsFile, pretrained } from '../../models/pretrained.js'
import { toTensor, type Image } from '../../ts/data/image.js'
import { openDataset } from '../../ts/data/datasets/open.js'
import { classify, evaluate } from '../../ts/evaluate/index.js'
import { calibrate } from '../../ts/model/calibration.js'
import { loadBatch } from '../../ts/data/image.js'
import { Device } from '../../ts/runtime/device.js'

let device: Device
beforeAll(async () => {
  device = await Device.open('cpu')
})
afterAll(() => device.close())

const data = (path: string) => fileURLToPath(new URL(`../data/${path}`, import.meta.url))

/** Of 10,000: what eight bits may change of what float32 has right. */
const TOLERANCE = 30

it.each([
  ['resnet20', 'resnet20-12fca82f.th', 9_173],
  ['resnet32', 'resnet32-d509ac18.th', 9_263],
] as const)('%s from %s in int8 is right on nearly %i images of CIFAR-10', async (name, file, right) => {
  const { model, preprocessing } = await loadWeightsFile(name, data(`checkpoints/cifar/${file}`))
  const train = await openDataset('cifar10', { split: 'train' })
  const seen: Image[] = []
  for (let i = 0; i < 256; i++) seen.push((await train.get(i, preprocessing)).image)
  const calibration = await calibrate(model, device, [toTensor(seen, preprocessing)])
  const test = await openDataset('cifar10', { split: 'test' })
  const options = { device, batch: 100, precision: 'int8' } as const
  const { images, correct } = await evaluate({ model, preprocessing, calibration }, test, options)
  console.log(`${name} in int8: ${correct} of ${images} right, ${right} in f32`)
  expect(images).toBe(10_000)
  expect(Math.abs(correct - right)).toBeLessThanOrEqual(TOLERANCE)
})

it('ResNet-50 in int8 tells what float32 tells of photographs', async () => {
  const loaded = await pretrained('resnet50.keras_in1k')
  const photographs = ['chelsea', 'coffee', 'red_panda'].map((name) => data(`images/${name}.png`))
  const batch = await loadBatch(photographs, loaded.preprocessing)
  const calibration = await calibrate(loaded.model, device, [batch])
  const options = { device, top: 3 } as const
  const exact = await classify(loaded, photographs, options)
  const quantized = await classify({ ...loaded, calibration }, photographs, { ...options, precision: 'int8' })
  for (const [i, { predictions }] of quantized.entries()) {
    const [first, expected] = [predictions[0]!, exact[i]!.predictions[0]!]
    expect(first.index).toBe(expected.index)
    expect(Math.abs(first.probability - expected.probability)).toBeLessThan(0.05)
  }
})
