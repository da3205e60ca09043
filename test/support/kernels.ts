import { Device } from '../../ts/runtime/device.js'
import type { ScheduleEntry } from '../../ts/runtime/native.js'

/** Operations that a library's slow fallback must never compute. */
const HEAVY = /^(convolution|linear|pooling|localResponseNorm|batchNorm)/

/** Heavy operations that run on the library's plain loops. */
export function fallbacks(schedule: readonly ScheduleEntry[]): string[] {
  return schedule
    .filter(({ op, implementation }) => HEAVY.test(op) && implementation.includes('ref'))
    .map(({ op, path, implementation }) => `${op} at ${path}: ${implementation}`)
}

export function usesWinograd(schedule: readonly ScheduleEntry[]): boolean {
  return schedule.some(({ implementation }) => /wino/i.test(implementation))
}

/** Runs work on a device whose programs use Winograd wherever it fits; `compile` makes it meet what there is. */
export async function withWinograd(
  compile: (device: Device) => Promise<Disposable>,
  work: (device: Device) => Promise<void>,
): Promise<void> {
  using device = await Device.open('cpu', { tuning: 'fast' })
  {
    using program = await compile(device)
    void program
  }
  const problems = Object.keys(device.kernelChoices())
  device.useKernels(Object.fromEntries(problems.map((problem) => [problem, 'winograd'])))
  await work(device)
}
