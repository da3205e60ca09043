import { writeFileSync } from 'node:fs'
import { buildSimulator, sanitizerRuntime } from './build.js'
import { coverageOf } from './coverage.js'
import { SimulatorState } from './state.js'

/**
 * Builds the simulated device once, before any test file, and lets all of them find it. `FOVEA_SIMULATION` says how
 * it runs: `lazy` (work waits for a synchronisation, in any order that is allowed), `sanitized` (with
 * AddressSanitizer), or nothing. `FOVEA_CUDA_COVERAGE` names a file for which symbols were called.
 *
 * @returns what is done after the last test: it says how many of the symbols were called
 */
export default function setup(): () => void {
  const mode = process.env.FOVEA_SIMULATION ?? ''
  if (!['', 'lazy', 'sanitized'].includes(mode))
    throw new Error(`FOVEA_SIMULATION is '${mode}': expected 'lazy', 'sanitized' or nothing`)
  process.env.FOVEA_CUDA_PATH = buildSimulator({ sanitize: mode === 'sanitized' })
  if (mode === 'lazy') process.env.CUDASIM_LAZY = '1'
  if (mode === 'sanitized') {
    process.env.LD_PRELOAD = sanitizerRuntime()
    // V8 keeps what it does not free.
    process.env.ASAN_OPTIONS = 'detect_leaks=0'
  }
  const state = SimulatorState.create()
  process.env.CUDASIM_COVERAGE = state.path
  return () => {
    const calls = state.calls()
    state.close()
    const { covered, missing } = coverageOf(calls)
    const all = covered.length + missing.length
    process.stdout.write(`simulated CUDA: ${covered.length} of ${all} symbols were called\n`)
    const file = process.env.FOVEA_CUDA_COVERAGE
    if (file)
      writeFileSync(file, JSON.stringify({ calls: Object.fromEntries([...calls].sort()), missing }, null, 2))
  }
}
