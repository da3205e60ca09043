import { defineConfig } from 'vitest/config'

/** What also runs lazily, and with AddressSanitizer: operations, training steps, failing calls. */
const HARSHER = [
  'test/gradients/**/*.test.ts',
  'test/training/lenet5-step.test.ts',
  'test/cuda/simulated/{convolutions,element-types,failing-operations,failures,library-types,updates}.test.ts',
]

/** What the CPU's tests of operations, networks and training say, on the simulated CUDA device (test/cudasim). */
export default defineConfig({
  test: {
    include: process.env.FOVEA_SIMULATION
      ? HARSHER
      : [
          'test/gradients/**/*.test.ts',
          'test/training/**/*.test.ts',
          'test/accuracy/cifar.test.ts',
          'test/cuda/simulated/**/*.test.ts',
        ],
    globalSetup: ['test/cudasim/setup.ts'],
    env: { FOVEA_TEST_DEVICE: 'cuda' },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
