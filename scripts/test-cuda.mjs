// Runs the tests of the CUDA backend on the simulated device (test/cudasim), once as it is, once lazily, once with
// AddressSanitizer.
//
//   node scripts/test-cuda.mjs                    all; docs/cuda-coverage.md must say what they cover
//   node scripts/test-cuda.mjs --write-coverage   the first run alone, which writes that page
//   node scripts/test-cuda.mjs ARGUMENT...        the first run alone, with arguments of vitest: files, -t NAME
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Ends the process where a test fails. */
function run(environment, given = []) {
  const arguments_ = ['vitest', 'run', '--config', 'vitest.cuda.config.ts', ...given]
  const env = { ...process.env, ...environment }
  const { status } = spawnSync('npx', arguments_, { cwd: root, stdio: 'inherit', env })
  if (status !== 0) process.exit(status ?? 1)
}

const given = process.argv.slice(2)
if (given[0] === '--write-coverage') run({ FOVEA_CUDA_COVERAGE: 'write' })
else if (given.length > 0) run({}, given)
else {
  run({ FOVEA_CUDA_COVERAGE: 'check' })
  for (const FOVEA_SIMULATION of ['lazy', 'sanitized']) run({ FOVEA_SIMULATION })
}
