import { InvalidArgumentError as BadValue, Option } from 'commander'
import type { Device, DeviceName, DeviceOptions } from '../runtime/device.js'

/** `--device` */
export function deviceOption(): Option {
  return new Option('--device <name>', 'auto, cpu, cuda, or cuda:1 for the second GPU')
    .default('auto')
    .argParser((text): DeviceName => {
      if (!/^(auto|cpu|cuda(:\d+)?)$/.test(text)) throw new BadValue('It must be auto, cpu, cuda or cuda:N.')
      return text as DeviceName
    })
}

/** Runs work on a device that is closed afterwards. */
export async function onDevice<T>(
  name: DeviceName,
  work: (device: Device) => Promise<T>,
  options: DeviceOptions = {},
): Promise<T> {
  const { Device } = await import('../runtime/device.js')
  const device = await Device.open(name, options)
  try {
    return await work(device)
  } finally {
    device.close()
  }
}
