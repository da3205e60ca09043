import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import type { Trace } from '../../ts/profile/index.js'
import { fovea, foveaJson, temporaryFolder } from './fovea.js'

interface Report {
  readonly network: string
  readonly mode: string
  readonly batch: number
  readonly steps: readonly { readonly op: string; readonly path: string; readonly share: number }[]
  readonly ops: readonly { readonly op: string; readonly count: number }[]
  readonly files: readonly string[]
}

const total = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

test('fovea profile shows every layer, sums by operation, and what a run takes', async () => {
  const { code, stdout } = await fovea(['profile', 'lenet5_modern', '--runs', '2', '--threads', '1'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^lenet5_modern, inference, f32, batch 1 on oneDNN/)
  expect(stdout).toMatch(/layer +operation +ms +share +GFLOP\/s +GB\/s +MiB in use +kernel +layout\n/)
  expect(stdout).toMatch(/\nfeatures\.0 +convolution +\d+\.\d{3} +\d+\.\d % /)
  expect(stdout).toMatch(/operation +steps +ms +share +GFLOP\/s +GB\/s +MB moved\n/)
  expect(stdout).toMatch(/\nrun +\d+\.\d{3} ms .*2 runs/)
  expect(stdout).toMatch(/\nreorders +\d+\n/)
})

test('and all of it as JSON, files on request', async () => {
  const folder = join(await temporaryFolder(), 'new')
  const flags = ['--training', '--batch', '2', '--runs', '1', '--threads', '1', '--out', folder]
  const report = await foveaJson<Report>('profile', 'resnet20', ...flags)
  expect(report).toMatchObject({ network: 'resnet20', mode: 'training', batch: 2 })
  expect(total(report.steps.map(({ share }) => share))).toBeCloseTo(1, 6)
  expect(total(report.ops.map(({ count }) => count))).toBe(report.steps.length)
  expect(report.steps.some(({ op, path }) => op === 'sgd' && path === 'layer1.0.bn1.weight')).toBe(true)
  // 19 convolutions, 19 batch norms of two parameters, one linear layer of two.
  expect(report.ops.find(({ op }) => op === 'sgd')!.count).toBe(59)
  expect(
    report.steps.some(({ op, path }) => op === 'convolutionBackwardData' && path === 'layer3.2.conv2'),
  ).toBe(true)

  expect(report.files).toEqual(
    ['rates.svg', 'memory.svg', 'trace.json', 'profile.json'].map((name) => join(folder, name)),
  )
  expect(await readdir(folder)).toHaveLength(4)
  const trace = JSON.parse(await readFile(join(folder, 'trace.json'), 'utf8')) as Trace
  const phases = trace.traceEvents.filter(({ cat }) => cat === 'phase')
  expect(phases.map(({ name }) => name)).toEqual(['forward', 'backward', 'update'])
  for (const name of ['rates.svg', 'memory.svg'])
    expect(await sharp(join(folder, name)).metadata()).toMatchObject({ format: 'svg' })
})
