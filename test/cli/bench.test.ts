import { expect, test } from 'vitest'
import { fovea, foveaJson } from './fovea.js'

interface Report {
  readonly device: string
  readonly results: readonly {
    readonly network: string
    readonly mode: string
    readonly batch: number
    readonly calls: number
    readonly milliseconds: { readonly low: number; readonly median: number; readonly high: number }
    readonly imagesPerSecond: number
  }[]
}

const BRIEFLY = ['--seconds', '0.01', '--threads', '1']

test('fovea bench measures every network at every batch', async () => {
  const report = await foveaJson<Report>('bench', 'lenet5_modern', 'resnet20', '--batch', '1,3', ...BRIEFLY)
  expect(report.device).toMatch(/^oneDNN .*1 thread/)
  expect(report.results.map(({ network, mode, batch }) => [network, mode, batch])).toEqual([
    ['lenet5_modern', 'inference', 1],
    ['lenet5_modern', 'inference', 3],
    ['resnet20', 'inference', 1],
    ['resnet20', 'inference', 3],
  ])
  for (const { batch, calls, milliseconds, imagesPerSecond } of report.results) {
    expect(calls).toBeGreaterThanOrEqual(5)
    expect(milliseconds.low).toBeLessThanOrEqual(milliseconds.median)
    expect(milliseconds.median).toBeLessThanOrEqual(milliseconds.high)
    expect((imagesPerSecond * milliseconds.median) / 1000).toBeCloseTo(batch, 6)
  }
})

test('training too, as a table below what the figures hold for', async () => {
  const { code, stdout } = await fovea(['bench', 'lenet5_modern', '--training', '--batch', '2', ...BRIEFLY])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^oneDNN .*\n.* cores\n.*Node\.js v.*\n\n/)
  expect(stdout).toMatch(/network +batch +ms +quartiles +images\/s +MiB\n/)
  expect(stdout).toMatch(/lenet5_modern +2 +\d+\.\d\d +\d+\.\d\d to \d+\.\d\d +\d+\.\d +\d+\.\d\n$/)
})
