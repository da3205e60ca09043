import { expect, test } from 'vitest'
import { createModel } from '../../../models/index.js'
import { Device } from '../../../ts/runtime/device.js'
import { buildSimulator } from '../../cudasim/build.js'
import { PlanBuilder } from '../../native/addon.js'
import { openSimulated } from './device.js'

const GEOMETRY = { stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1, activation: 'none' }

test.each([
  ['quantize', 'f32', 'u8', { scale: 1 }],
  ['dequantize', 'u8', 'f32', { scale: 1 }],
  ['quantizeWeights', 'f32', 's8', { inputScale: 1, outputScale: 1 }],
  ['quantizedConvolution', 'u8', 'f32', { ...GEOMETRY, residualFactor: 1 }],
] as const)('a GPU refuses %s by name', async (op, from, to, attributes) => {
  const device = await openSimulated()
  const plan = new PlanBuilder().phase('forward')
  const [x, y] = [plan.input('x', [1, 4, 2, 2], from), plan.buffer([1, 4, 2, 2], to)]
  plan.run(op, [x], [y], attributes)
  await expect(device.compile(plan, device.createStore())).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('int8 is for the CPU') as string,
  })
  device.close()
})

test('a network in int8 is refused before anything is compiled', async () => {
  using device = await Device.open('cuda', { cudaPath: process.env.FOVEA_CUDA_PATH ?? buildSimulator() })
  const calibration = { model: 'resnet20', ranges: {} }
  await expect(
    createModel('resnet20').compile(device, { precision: 'int8', calibration }),
  ).rejects.toMatchObject({ code: 'UNSUPPORTED', subject: 'precision', got: 'int8' })
})
