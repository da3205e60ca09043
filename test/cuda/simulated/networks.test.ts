import { expect, test } from 'vitest'
import type { Device } from '../../../ts/runtime/device.js'
import { relativeL2 } from '../../support/gradients.js'
import { bothDevices, evaluated, gradientErrors, trained, type Small } from './networks.js'

// Networks in f32. The CPU's results, which are held against PyTorch's at full size, say what is right.

// VGG-16's weights, and what is made of them.
process.env.CUDASIM_MEMORY = String(2 ** 33)

const devices = bothDevices()

const both = async <T>(run: (device: Device) => Promise<T>): Promise<[T, T]> => [
  await run(devices.cpu),
  await run(devices.cuda),
]

// The least that a network's poolings leave a pixel of.
const EVALUATED: readonly Small[] = [
  { name: 'lenet5', size: 32 },
  { name: 'lenet5_modern', size: 32 },
  { name: 'alexnet', size: 64 },
  { name: 'vgg16_bn', size: 32 },
  { name: 'googlenet', size: 64 },
  { name: 'inception_v3', size: 75 },
  { name: 'resnet18', size: 64 },
  { name: 'resnet20', size: 32 },
  { name: 'resnet50', size: 64 },
  { name: 'densenet121', size: 64 },
  { name: 'densenet_bc', size: 32 },
]

test.each(EVALUATED)('$name, evaluated at $size pixels', async (network) => {
  const [expected, got] = await both((device) => evaluated(device, network))
  expect(got.every(Number.isFinite)).toBe(true)
  expect(relativeL2(got, expected)).toBeLessThan(2e-5)
})

const TRAINED: readonly Small[] = [
  { name: 'resnet18', size: 64 },
  { name: 'googlenet', size: 64 },
  { name: 'vgg11_bn', size: 32 },
  { name: 'densenet_bc', size: 32 },
]

test.each(TRAINED)('$name, trained at $size pixels', async (network) => {
  const [expected, got] = await both((device) => trained(device, network))
  for (const [head, { data }] of Object.entries(expected.output))
    expect(relativeL2(got.output[head]!.data, data), head).toBeLessThan(1e-4)
  expect(Object.keys(got.gradients)).toEqual(Object.keys(expected.gradients))
  const errors = gradientErrors(got, expected)
  expect(errors.length).toBeGreaterThan(10)
  // Where a ReLU or a maximum is a draw, float32 decides it one way or the other, and a gradient goes elsewhere.
  expect(errors.at(-1)).toBeLessThan(5e-2)
  expect(errors[errors.length >> 1]).toBeLessThan(5e-3)
})
