import { expect, test } from 'vitest'
import { curves, readMetrics } from '../../ts/report/index.js'
import { epoch, runFolder, start, step, wholeRun } from './run.js'

test('reads what was measured', async () => {
  const run = await readMetrics(await runFolder([start, ...wholeRun]))
  expect(run).toMatchObject({ network: 'resnet20', parameters: 269722, device: 'a CPU <of ours>' })
  expect(run.steps).toHaveLength(12)
  expect(run.steps[5]).toEqual({ epoch: 2, step: 2, steps: 4, loss: 0.3, accuracy: 0.5, lr: 0.1 ** 2 })
  expect(run.epochs.map(({ validation }) => validation?.top1)).toEqual([0.3, 0.6, 0.3 * 3])
})

test('what was measured twice counts once, the later time, and in order', async () => {
  const lines = [step(1, 1, 9), step(1, 2, 9), epoch(1, 9, 0.1), start, step(1, 2, 2), epoch(1, 2, 0.2)]
  const { steps, epochs } = await readMetrics(await runFolder([...lines, step(1, 1, 1)]))
  expect(steps.map(({ loss }) => loss)).toEqual([1, 2])
  expect(epochs.map(({ train }) => train.loss)).toEqual([2])
})

test('a torn last line is left out, a damaged one before is an error', async () => {
  const torn = '{"kind":"step","epoch":1,"st'
  expect((await readMetrics(await runFolder([step(1, 1, 1), torn]))).steps).toHaveLength(1)
  const folder = await runFolder([step(1, 1, 1), `${torn}\n`, step(1, 2, 1)])
  await expect(readMetrics(folder)).rejects.toThrow(/metrics\.jsonl: line 2 is no JSON object/)
})

test('a folder without metrics', async () => {
  await expect(readMetrics('/no/such/folder')).rejects.toThrow(
    'no metrics of a training run in /no/such/folder',
  )
})

test('losses that are not finite are left out', async () => {
  // JSON has no NaN: it is written as null.
  const { steps } = await readMetrics(await runFolder([step(1, 1, 1), step(1, 2, NaN)]))
  expect(steps).toHaveLength(1)
})

test('steps lie within their epochs, epochs at their ends', async () => {
  const [loss, accuracy, rate] = curves(await readMetrics(await runFolder([start, ...wholeRun])))
  const xs = (name: string, of = loss) =>
    of!.plot.series.find((series) => series.name === name)!.points.map(([x]) => x)
  expect(xs('single batches')).toEqual([0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3])
  expect(xs('training')).toEqual([1, 2, 3])
  expect(xs('validation, top-5', accuracy)).toEqual([1, 2, 3])
  // The rate falls by a thousand; its edges stay sharp.
  expect(rate!.plot.y.logarithmic).toBe(true)
  expect(xs('learning rate', rate)).toEqual([0.25, 1, 1.25, 2, 2.25, 3])
})

test('long runs are drawn with few points, whose means are those of the run', async () => {
  const steps = Array.from({ length: 10_000 }, (_, i) => ({ ...step(1, i + 1, i % 2), steps: 10_000 }))
  const [loss] = curves(await readMetrics(await runFolder(steps)))
  const { points } = loss!.plot.series[0]!
  expect(points.length).toBeLessThanOrEqual(800)
  const mean = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  expect(mean).toBeCloseTo(0.5, 2)
})
