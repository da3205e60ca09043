import { defineConfig } from 'vitest/config'

/** What the CPU's tests of operations, networks and training say, on the simulated CUDA device (test/cudasim). */
export default defineConfig({
  test: {
    include: ['test/gradients/**/*.test.ts', 'test/training/**/*.test.ts', 'test/accuracy/cifar.test.ts'],
    globalSetup: ['test/cudasim/setup.ts'],
    env: { FOVEA_TEST_DEVICE: 'cuda' },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
