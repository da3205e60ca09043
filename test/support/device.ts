import { Device, type DeviceName, type DeviceOptions } from '../../ts/runtime/device.js'

/** What kind of device the tests run on: the CPU, or what `FOVEA_TEST_DEVICE` names. */
export const TEST_DEVICE = (process.env.FOVEA_TEST_DEVICE ?? 'cpu') as DeviceName

/** Opens the device that the tests run on. Threads are a CPU's, the other options a GPU's. */
export function openTestDevice({ threads, ...options }: DeviceOptions = {}): Promise<Device> {
  // Kernels that were measured faster differ from run to run.
  const tuning = { tuning: 'off' } as const
  if (TEST_DEVICE !== 'cpu') return Device.open(TEST_DEVICE, { ...tuning, ...options })
  return Device.open('cpu', { ...tuning, ...(threads === undefined ? {} : { threads }) })
}
