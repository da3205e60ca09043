import { Device } from '../../ts/runtime/device.js'
import type { ScheduleEntry } from '../../ts/runtime/native.js'

/** Operations that a library's slow fallback must never compute. */
const HEAVY = /^(convolution|quantizedConvolution|linear|pooling|localResponseNorm|batchNorm)/

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
  const program = await compile(device)
  program[Symbol.dispose]()
  const problems = Object.keys(device.kernelChoices())
  device.useKernels(Object.fromEntries(problems.map((problem) => [problem, 'winograd'])))
  await work(device)
}

/** Why this processor cannot compute in bf16, if it cannot: what a program that was compiled for it says. */
export const bf16Missing = (compiled: Promise<Disposable>) => missing(compiled, 'AVX512_BF16')

/** The same of int8. */
export const int8Missing = (compiled: Promise<Disposable>) => missing(compiled, 'AVX512_VNNI')

async function missing(compiled: Promise<Disposable>, instructions: string): Promise<string | null> {
  try {
    const program = await compiled
    program[Symbol.dispose]()
    return null
  } catch (error) {
    const { message } = error as Error
    if (message.includes(instructions)) return message
    throw error
  }
}
