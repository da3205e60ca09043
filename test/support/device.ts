import { Device, type DeviceName, type DeviceOptions } from '../../ts/runtime/device.js'

/** What kind of device the tests run on: the CPU, or what `FOVEA_TEST_DEVICE` names. */
export const TEST_DEVICE = (process.env.FOVEA_TEST_DEVICE ?? 'cpu') as DeviceName

/** Opens the device that the tests run on. Only a CPU has threads to count. */
export function openTestDevice({ threads, ...options }: DeviceOptions = {}): Promise<Device> {
  const counted = TEST_DEVICE === 'cpu' && threads !== undefined
  return Device.open(TEST_DEVICE, counted ? { ...options, threads } : options)
}
