import { Device, type DeviceName, type DeviceOptions } from '../../ts/runtime/device.js'

/** What stands in for a GPU, where the suite is only rehearsed. */
export type Rehearsal = 'cpu' | 'simulated'

/** Null where the suite runs in earnest. */
export const rehearsal: Rehearsal | null = ((): Rehearsal | null => {
  const value = process.env.FOVEA_GPU_REHEARSAL ?? ''
  if (value === '') return null
  if (value === 'cpu' || value === 'simulated') return value
  throw new Error(`FOVEA_GPU_REHEARSAL must be 'cpu' or 'simulated', got '${value}'`)
})()

/** Whether sizes are as small as they can be. */
export const reduced = rehearsal !== null

export const deviceName: DeviceName = rehearsal === 'cpu' ? 'cpu' : 'cuda'

/** Opens what the suite runs on. */
export function openTarget(options: DeviceOptions = {}): Promise<Device> {
  return Device.open(deviceName, options)
}
