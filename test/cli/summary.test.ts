import { expect, test } from 'vitest'
import { createModel, modelNames, type ModelName } from '../../models/index.js'
import { CIFAR } from '../../ts/data/preprocessing.js'
import { Model } from '../../ts/model/model.js'
import { summarize, type Summary } from '../../ts/model/summary.js'
import { conv2d, flatten, Network, type Value } from '../../ts/nn/index.js'
import { fovea, foveaJson } from './fovea.js'

// Billions of multiply-adds as torchvision documents them ("GFLOPS"), and parameters of the network at inference.
const PUBLISHED = [
  ['alexnet', 0.714, 61_100_840],
  ['vgg11', 7.609, 132_863_336],
  ['vgg16', 15.47, 138_357_544],
  ['vgg19_bn', 19.632, 143_678_248],
  ['googlenet', 1.498, 6_624_904],
  ['inception_v3', 5.713, 23_834_568],
  ['resnet18', 1.814, 11_689_512],
  ['resnet50', 4.089, 25_557_032],
  ['resnet152', 11.514, 60_192_808],
  ['densenet121', 2.834, 7_978_856],
  ['densenet201', 4.291, 20_013_928],
] as const satisfies readonly (readonly [ModelName, number, number])[]

test.each(PUBLISHED)('%s: %s billion multiply-adds, %s parameters', (name, billions, parameters) => {
  const summary = summarize(createModel(name))
  expect(summary.multiplyAdds / 1e9).toBeCloseTo(billions, 3)
  expect(summary.parameters).toBe(parameters)
})

test('LeNet-5 counts the connections of its table, as the paper does', () => {
  const { rows } = summarize(createModel('lenet5'))
  const c3 = rows.find(({ path }) => path === 'c3')!
  // 151,600 with the 16 biases of each position.
  expect(c3.multiplyAdds).toBe(151_600 - 16 * 100)
  expect(c3.parameters).toBe(1_516)
  expect(rows.find(({ path }) => path === 's2')).toBeDefined()
})

test('parameters add up to those of the model wherever there are no auxiliary heads', () => {
  for (const name of modelNames) {
    const model = createModel(name)
    if (!model.info.auxiliaryHeads) expect(summarize(model).parameters, name).toBe(model.parameterCount)
  }
})

test('a layer that is used twice has its parameters once, its multiply-adds twice', () => {
  class Twice extends Network {
    readonly conv = conv2d(3, 3, { padding: 1 })
    override forward(x: Value) {
      return { logits: x.pipe(this.conv, this.conv, flatten) }
    }
  }
  const input = { channels: 3, size: 8 }
  const { rows, parameters, multiplyAdds } = summarize(
    new Model(new Twice(), { name: 'twice', classes: 192, input, preprocessing: CIFAR }),
  )
  expect(rows.map((row) => row.parameters)).toEqual([84, 0, 0])
  expect(parameters).toBe(84)
  expect(multiplyAdds).toBe(2 * 81 * 64)
})

test('costs grow with batch and image', () => {
  const model = createModel('resnet18')
  const one = summarize(model)
  const four = summarize(model, { batch: 4 })
  expect(four.multiplyAdds).toBe(4 * one.multiplyAdds)
  expect(four.activationBytes).toBe(4 * one.activationBytes)
  expect(four.parameters).toBe(one.parameters)
  const wide = summarize(model, { size: [224, 448] })
  expect(wide.input).toEqual([1, 3, 224, 448])
  expect(wide.multiplyAdds / one.multiplyAdds).toBeCloseTo(2, 3)
})

test('activations are the bytes of the outputs, and a reshape has none of its own', () => {
  const { rows, activationBytes } = summarize(createModel('alexnet'))
  expect(rows[0]).toMatchObject({ path: 'features.0', op: 'convolution', shape: [1, 64, 55, 55] })
  expect(rows[0]!.activationBytes).toBe(64 * 55 * 55 * 4)
  expect(rows.find(({ op }) => op === 'reshape')!.activationBytes).toBe(0)
  expect(activationBytes).toBe(rows.reduce((sum, row) => sum + row.activationBytes, 0))
})

test('fovea summary --json holds the whole table', async () => {
  const summary = await foveaJson<Summary>('summary', 'resnet50', '--input', '160', '--batch', '2')
  expect(summary).toEqual(
    JSON.parse(JSON.stringify(summarize(createModel('resnet50'), { size: 160, batch: 2 }))),
  )
})

test('fovea summary shows layers and totals', async () => {
  const { code, stdout } = await fovea(['summary', 'resnet50'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/layer +operation +output +parameters +multiply-adds +activations/)
  expect(stdout).toMatch(/layer1\.0\.conv1 +convolution +\[1, 64, 56, 56\] +4,096 +12,845,056 +802,816\n/)
  expect(stdout).toMatch(/parameters +25,557,032 +25\.6 million\n/)
  expect(stdout).toMatch(/multiply-adds +4,089,184,256 +4\.09 G\n/)
})

test('an image that is too small is refused by the layer that cannot take it', async () => {
  const { code, stderr } = await fovea(['summary', 'alexnet', '--input', '40'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^fovea: .*features\.\d+.*\n$/)
})
