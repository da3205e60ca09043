import { writeFileSync } from 'node:fs'
import { coveragePage, PAGE, staleness } from '../cuda/coverage-page.js'
import { buildSimulator, sanitizerRuntime } from './build.js'
import { coverageOf } from './coverage.js'
import { SimulatorState } from './state.js'

/** Of `FOVEA_CUDA_COVERAGE`, with which all tests run: what becomes of docs/cuda-coverage.md. */
const PAGE_MODES = ['', 'check', 'write']

/**
 * Builds the simulated device once, before any test file, and lets all of them find it. `FOVEA_SIMULATION` says how
 * it runs: `lazy` (work waits for a synchronisation, in any order that is allowed), `sanitized` (with
 * AddressSanitizer), or nothing. After all tests, `FOVEA_CUDA_COVERAGE` has the page of what they cover checked
 * (`check`) or written (`write`).
 *
 * @returns what is done after the last test: it says how many of the symbols were called
 */
export default function setup(): () => Promise<void> {
  const mode = process.env.FOVEA_SIMULATION ?? ''
  if (!['', 'lazy', 'sanitized'].includes(mode))
    throw new Error(`FOVEA_SIMULATION is '${mode}': expected 'lazy', 'sanitized' or nothing`)
  const page = process.env.FOVEA_CUDA_COVERAGE ?? ''
  if (!PAGE_MODES.includes(page))
    throw new Error(`FOVEA_CUDA_COVERAGE is '${page}': expected 'check', 'write' or nothing`)
  process.env.FOVEA_CUDA_PATH = buildSimulator({ sanitize: mode === 'sanitized' })
  if (mode === 'lazy') process.env.CUDASIM_LAZY = '1'
  if (mode === 'sanitized') {
    process.env.LD_PRELOAD = sanitizerRuntime()
    // V8 keeps what it does not free.
    process.env.ASAN_OPTIONS = 'detect_leaks=0'
  }
  const state = SimulatorState.create()
  process.env.CUDASIM_COVERAGE = state.path
  return async () => {
    const calls = state.calls()
    state.close()
    const { covered, missing } = coverageOf(calls)
    const all = covered.length + missing.length
    process.stdout.write(`simulated CUDA: ${covered.length} of ${all} symbols were called\n`)
    if (page === 'write') writeFileSync(PAGE, await coveragePage(calls))
    const stale = page === 'check' ? await staleness(calls) : null
    if (stale === null) return
    process.stderr.write(`${stale}: npm run cuda:coverage writes it\n`)
    process.exitCode = 1
  }
}
