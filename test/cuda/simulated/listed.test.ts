import { expect, test } from 'vitest'
import { Device } from '../../../ts/runtime/device.js'
import { buildSimulator } from '../../cudasim/build.js'

const cudaPath = process.env.FOVEA_CUDA_PATH ?? buildSimulator()

test('the simulated GPU says in the list of devices, and opened, that it is none', async () => {
  const devices = await Device.list({ cudaPath })
  expect(devices.map(({ name }) => name)).toEqual(['cpu', 'cuda:0'])
  expect(devices[1]!.model).toMatch(/simulated/i)
  using device = await Device.open('cuda', { cudaPath })
  expect(device.description).toMatch(/simulated/i)
})

test('of all devices the simulated GPU is taken, as it has memory', async () => {
  using device = await Device.open('auto', { cudaPath })
  expect(device.description).toMatch(/simulated/i)
})
