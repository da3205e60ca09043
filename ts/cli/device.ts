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

/** `--precision` */
export function precisionOption(): Option {
  return new Option('--precision <type>', 'element type of activations: f32, bf16 or, on a GPU, f16')
    .choices(['f32', 'bf16', 'f16'])
    .default('f32')
}

/** `--precision` of commands that train nothing. */
export function inferencePrecisionOption(): Option {
  return new Option(
    '--precision <type>',
    'element type of activations: f32, bf16, on a GPU f16, or on a CPU int8',
  )
    .choices(['f32', 'bf16', 'f16', 'int8'])
    .default('f32')
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
