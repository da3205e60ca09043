import type { Precision } from '../../ts/compile/precision.js'
import type { Device, DeviceOptions } from '../../ts/runtime/device.js'

/** How numbers are computed. */
export type ComputeMode = 'f32' | 'TF32' | 'bf16' | 'f16'

export const MODES: readonly ComputeMode[] = ['f32', 'TF32', 'bf16', 'f16']

export function parseMode(text: string | undefined): ComputeMode {
  const mode = MODES.find((known) => known === text)
  if (mode === undefined) throw new Error(`unknown mode '${text ?? ''}'; there are ${MODES.join(', ')}`)
  return mode
}

/** Element type of activations in a mode. */
export function precisionOf(mode: ComputeMode): Precision {
  return mode === 'TF32' ? 'f32' : mode
}

/** What a device is opened with for a mode. */
export function deviceOptionsOf(mode: ComputeMode): DeviceOptions {
  return { allowTf32: mode === 'TF32' }
}

/** Whether an error says that this build has no such mode. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'UNSUPPORTED'
}

/**
 * The least relative error of logits that a mode has on the networks here: float32 stands at some 1e-6, TF32 at
 * 3e-4. Less shows that the mode was not taken.
 */
export const LEAST_ERROR: Readonly<Record<ComputeMode, number>> = {
  f32: 0,
  TF32: 2e-5,
  bf16: 2e-4,
  f16: 2e-5,
}

/** What the device is for people: a simulated one says so. */
export const isSimulated = (device: Device): boolean => /simulated/i.test(device.description)
