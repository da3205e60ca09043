import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { buildProgram, sanitizerRuntime } from '../../cudasim/build.js'
import { knownSymbols } from '../../cudasim/coverage.js'
import { buildSimulator } from '../../cudasim/build.js'

// The simulated device itself, before anything is proved with it: what it computes, held against loops that share
// nothing with it, and that it refuses what NVIDIA's libraries refuse.

const environments: Readonly<Record<string, NodeJS.ProcessEnv>> = {
  lazy: { CUDASIM_LAZY: '1' },
  // All of it is allocated once.
  'memory that is refused': { CUDASIM_MEMORY: String(2 ** 24) },
  'a failing allocation': { CUDASIM_FAIL_ALLOCATION: '3' },
  'a failing call': { CUDASIM_FAIL_CALL: '2', CUDASIM_FAIL_SYMBOL: 'cudaStreamCreateWithFlags' },
}

function run(program: string, check: string, more: NodeJS.ProcessEnv = {}) {
  const chosen = environments[check] ?? (check.startsWith('lazy') ? environments.lazy : {})
  const env = {
    ...process.env,
    CUDASIM_LAZY: '',
    CUDASIM_COVERAGE: '',
    CUDASIM_QUIET: '1',
    ...chosen,
    ...more,
  }
  delete (env as NodeJS.ProcessEnv).CUDASIM_COVERAGE
  const { status, stderr, signal } = spawnSync(program, check === '' ? [] : [check], {
    env,
    encoding: 'utf8',
  })
  return { status: status ?? signal, stderr }
}

for (const name of ['runtime', 'kernels', 'cudnn'])
  describe(name, () => {
    const program = buildProgram(fileURLToPath(new URL(`${name}.cc`, import.meta.url)))
    const checks = spawnSync(program, { encoding: 'utf8' }).stdout.trim().split('\n')
    test.each(checks)('%s', (check) => {
      expect(run(program, check)).toEqual({ status: 0, stderr: '' })
    })
  })

// The first time, the simulator is built once more.
test('AddressSanitizer stops a kernel that writes behind an allocation', { timeout: 600_000 }, () => {
  const program = buildProgram(fileURLToPath(new URL('kernels.cc', import.meta.url)), { sanitize: true })
  const env = { LD_PRELOAD: sanitizerRuntime(), ASAN_OPTIONS: 'detect_leaks=0' }
  expect(run(program, 'shared memory and __syncthreads', env)).toEqual({ status: 0, stderr: '' })
  const stopped = run(program, 'writing behind an allocation', env)
  expect(stopped.status).not.toBe(0)
  expect(stopped.stderr).toMatch(/AddressSanitizer.*\n.*WRITE of size 4/s)
  expect(stopped.stderr).toContain('overrun')
})

test('has every symbol that fovea takes from the libraries', () => {
  const { stdout } = spawnSync('nm', ['-D', '--defined-only', `${buildSimulator()}/libcudasim.so`], {
    encoding: 'utf8',
  })
  const exported = new Set(stdout.split('\n').map((line) => line.split(' ').at(-1)!))
  const known = knownSymbols()
  expect(known.length).toBeGreaterThan(80)
  expect(known.filter((name) => !exported.has(name))).toEqual([])
})
