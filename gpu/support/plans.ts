import { UnsupportedError } from '../../ts/errors.js'
import type { Plan } from '../../ts/compile/plan.js'
import type { Device } from '../../ts/runtime/device.js'
import type { Program } from '../../ts/runtime/program.js'
import type { ComputeMode } from './mode.js'

/** What was compiled on a device. */
export interface Compiled {
  readonly plan: Plan
  readonly program: Program
}

/** A device whose plans are changed before they are compiled, and remembered. */
export function observed(
  device: Device,
  change: (plan: Plan) => Plan = (plan) => plan,
): { readonly device: Device; readonly compiled: readonly Compiled[] } {
  const compiled: Compiled[] = []
  const compile: Device['compile'] = async (plan, store, signal) => {
    const changed = change(plan)
    const program = await device.compile(changed, store, signal)
    compiled.push({ plan: changed, program })
    return program
  }
  return { device: Object.create(device, { compile: { value: compile } }) as Device, compiled }
}

const KEPT = 'kept '

/** A plan whose inputs stay in device memory after a run, so that it can run again without a copy. */
export function keepingInputs(plan: Plan): Plan {
  const outputs = plan.inputs.map(({ name, buffer }) => ({ name: KEPT + name, buffer }))
  return { ...plan, outputs: [...plan.outputs, ...outputs] }
}

/**
 * A device on which every plan must compute in a mode, as far as buffers tell: TF32 has those of f32.
 * Compiling another rejects with UnsupportedError.
 */
export function insistingOn(
  device: Device,
  mode: ComputeMode,
  change: (plan: Plan) => Plan = (plan) => plan,
): ReturnType<typeof observed> {
  return observed(device, (plan) => {
    const taken =
      mode === 'f32' || mode === 'TF32' || plan.buffers.some(({ dtype }) => (dtype as string) === mode)
    if (!taken) throw new UnsupportedError(`${mode} was not taken: the plan is float32's`)
    return change(plan)
  })
}
