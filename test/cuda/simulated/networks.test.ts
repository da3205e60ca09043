import { afterAll, beforeAll, expect, test } from 'vitest'
import { createModel, type ModelName } from '../../../models/index.js'
import type { Model } from '../../../ts/model/model.js'
import { Device } from '../../../ts/runtime/device.js'
import { tensor, type Tensor } from '../../../ts/tensor.js'
import { buildSimulator } from '../../cudasim/build.js'
import { fixtureImage, levels, setFixtureWeights } from '../../support/fixture-weights.js'
import { relativeL2 } from '../../support/gradients.js'

// Networks on images that are small enough for a simulation. The CPU's results, which are held against PyTorch's at
// full size, say what is right.

// VGG-16's weights, and what is made of them.
process.env.CUDASIM_MEMORY = String(2 ** 33)

type AnyModel = Model<'logits', string>

let cpu: Device
let cuda: Device
beforeAll(async () => {
  cpu = await Device.open('cpu')
  cuda = await Device.open('cuda', { cudaPath: process.env.FOVEA_CUDA_PATH ?? buildSimulator() })
}, 600_000)
afterAll(() => {
  cpu.close()
  cuda.close()
})

const both = async <T>(run: (device: Device) => Promise<T>): Promise<[T, T]> => [
  await run(cpu),
  await run(cuda),
]

// The least that a network's poolings leave a pixel of; batch 2 tells images apart.
const EVALUATED: readonly (readonly [ModelName, number])[] = [
  ['lenet5', 32],
  ['lenet5_modern', 32],
  ['alexnet', 64],
  ['vgg16_bn', 32],
  ['googlenet', 64],
  ['inception_v3', 75],
  ['resnet18', 64],
  ['resnet20', 32],
  ['resnet50', 64],
  ['densenet121', 64],
  ['densenet_bc', 32],
]

async function evaluated(device: Device, name: ModelName, size: number): Promise<Float32Array> {
  const model = createModel(name, { classes: 10 }) as AnyModel
  await setFixtureWeights(model)
  const shape = [2, name.startsWith('lenet') ? 1 : 3, size, size]
  using net = await model.compile(device, { batch: 2, size: [size, size] })
  const { logits } = await net.predict(fixtureImage('small', shape, 0, 8))
  return Float32Array.from(logits.data)
}

test.each(EVALUATED)('%s, evaluated at %d pixels', async (name, size) => {
  const [expected, got] = await both((device) => evaluated(device, name, size))
  expect(got.every(Number.isFinite)).toBe(true)
  expect(relativeL2(got, expected)).toBeLessThan(2e-5)
})

const TRAINED: readonly (readonly [ModelName, number])[] = [
  ['resnet18', 64],
  ['googlenet', 64],
  ['vgg11_bn', 32],
  ['densenet_bc', 32],
]

/** Outputs, and gradients of all parameters and the input. */
async function trained(device: Device, name: ModelName, size: number) {
  const model = createModel(name, { classes: 10 }) as AnyModel
  await setFixtureWeights(model)
  const shape = [4, name.startsWith('lenet') ? 1 : 3, size, size]
  using program = await model.compile(device, { batch: 4, size: [size, size], training: true })
  const { output, backward } = await program.forward(fixtureImage('small', shape, 0, 8))
  const seeds: Record<string, Tensor> = {}
  for (const [head, { shape: seed }] of Object.entries(output))
    seeds[head] = tensor(Float32Array.from(levels(`seed/${head}`, seed[0]! * seed[1]!)), seed)
  const { parameters, input } = await backward(seeds)
  return { output, gradients: { ...parameters, input: input! } as Record<string, Tensor> }
}

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

test.each(TRAINED)('%s, trained at %d pixels', async (name, size) => {
  const [expected, got] = await both((device) => trained(device, name, size))
  for (const [head, { data }] of Object.entries(expected.output))
    expect(relativeL2(got.output[head as 'logits']!.data, data), head).toBeLessThan(1e-4)
  expect(Object.keys(got.gradients)).toEqual(Object.keys(expected.gradients))
  const largest = Math.max(...Object.values(expected.gradients).map(({ data }) => norm(data)))
  const errors = Object.entries(expected.gradients)
    // What batch norm leaves of a bias' gradient is rounding.
    .filter(([, { data }]) => norm(data) > 1e-5 * largest)
    .map(([parameter, { data }]) => relativeL2(got.gradients[parameter]!.data, data))
  errors.sort((a, b) => a - b)
  expect(errors.length).toBeGreaterThan(10)
  // Where a ReLU or a maximum is a draw, float32 decides it one way or the other, and a gradient goes elsewhere.
  expect(errors.at(-1)).toBeLessThan(5e-2)
  expect(errors[errors.length >> 1]).toBeLessThan(5e-3)
})
