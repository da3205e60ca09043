// How the cost of a network grows: with the batch, the size of the images, the depth (ResNet-18 to 152) and the threads.
// All points of a sweep take turns. Prints a line of JSON a point; with --out, draws a plot a sweep.
//
//   node dist/bench/scale.js [--sweeps batch,size,depth,threads] [--mode inference] [--network resnet50]
//                            [--batch 1,2,4,8,16,32] [--size 128,160,192,224,288,320] [--threads 1,2] [--rounds 7]
//                            [--csv FILE] [--out FOLDER]
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createModel, parseModelName, type ModelName } from '../models/index.js'
import { COLOURS, drawPlot, type Plot } from '../ts/report/index.js'
import { quartiles } from '../ts/report/quartiles.js'
import { Device } from '../ts/runtime/device.js'
import { tensor } from '../ts/tensor.js'
import { machine } from './support/machine.js'
import { numbers, parseModes, TRAINING } from './support/networks.js'
import { digits, say, writeResults } from './support/results.js'
import type { ScaleRow } from './support/rows.js'
import { callsFor, milliseconds, sample } from './support/statistics.js'
import { samplePixels } from '../ts/runtime/profile.js'

const { values } = parseArgs({
  options: {
    sweeps: { type: 'string', default: 'batch,size,depth,threads' },
    mode: { type: 'string', default: 'inference' },
    network: { type: 'string', default: 'resnet50' },
    batch: { type: 'string', default: '1,2,4,8,16,32' },
    size: { type: 'string', default: '128,160,192,224,288,320' },
    threads: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    csv: { type: 'string' },
    out: { type: 'string' },
  },
})
const [mode] = parseModes(values.mode)
const network = parseModelName(values.network)
const cores = availableParallelism()
const threads = values.threads ? numbers(values.threads) : Array.from({ length: cores }, (_, i) => i + 1)

/** One size of one network on so many threads. */
interface Point {
  readonly network: ModelName
  readonly batch: number
  readonly size: number
  readonly threads: number
}

const usual: Point = { network, batch: 1, size: createModel(network).info.input.size, threads: cores }
const DEPTHS: readonly ModelName[] = ['resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152']
const sweeps = new Map<string, Point[]>([
  ['batch', numbers(values.batch).map((batch) => ({ ...usual, batch }))],
  ['size', numbers(values.size).map((size) => ({ ...usual, size }))],
  ['depth', DEPTHS.map((deep) => ({ ...usual, network: deep }))],
  ['threads', threads.map((count) => ({ ...usual, threads: count }))],
])

/** A point that is ready to run. */
interface Runner {
  readonly point: Point
  readonly gflop: number
  readonly step: () => Promise<unknown>
  readonly calls: number
  readonly times: number[]
  readonly dispose: () => void
}

async function prepare(point: Point): Promise<Runner> {
  const { batch, size } = point
  const device = await Device.open('cpu', { threads: point.threads })
  const model = createModel(point.network)
  const shape = [batch, model.info.input.channels, size, size]
  const images = tensor(samplePixels(shape), shape)
  const compiled =
    mode === 'training'
      ? await model.compile(device, { batch, size, training: TRAINING })
      : await model.compile(device, { batch, size })
  const step = () =>
    'predict' in compiled ? compiled.predict(images) : compiled.run(images, new Int32Array(batch))
  const { steps } = await compiled.profile({ runs: 1 })
  const flops = steps.reduce((sum, { phase, flops }) => sum + (phase === 'constants' ? 0 : flops), 0)
  const dispose = () => {
    compiled.dispose()
    device.close()
  }
  return { point, gflop: flops / 1e9, step, calls: callsFor(await milliseconds(step)), times: [], dispose }
}

async function measure(sweep: string, points: readonly Point[]): Promise<ScaleRow[]> {
  const runners: Runner[] = []
  for (const point of points) runners.push(await prepare(point))
  for (let round = 0; round < Number(values.rounds); round++)
    for (const { step, calls, times } of runners) times.push(await sample(step, calls))
  return runners.map(({ point, gflop, times, dispose }) => {
    dispose()
    const { low, median, high } = quartiles(times)
    return {
      sweep,
      mode: mode!,
      ...point,
      gflop: digits(gflop),
      ms: digits(median),
      msLow: digits(low),
      msHigh: digits(high),
      imagesPerSecond: digits((1000 * point.batch) / median),
      gflops: digits((1000 * gflop) / median),
    }
  })
}

/** What each sweep's plot shows. */
const VIEWS: Readonly<
  Record<string, (rows: readonly ScaleRow[]) => Pick<Plot, 'title' | 'x' | 'y' | 'series'>>
> = {
  batch: (rows) => ({
    title: `${network}: images a second by batch`,
    x: { title: 'images a run', zero: true },
    y: { title: 'images a second', zero: true },
    series: [line('measured', rows, (row) => [row.batch, row.imagesPerSecond])],
  }),
  size: (rows) => ({
    title: `${network}: time by the size of the image`,
    x: { title: 'thousand pixels', zero: true },
    y: { title: 'ms', zero: true },
    series: [line('measured', rows, (row) => [row.size ** 2 / 1000, row.ms])],
  }),
  depth: (rows) => ({
    title: 'ResNet-18 to ResNet-152: time by arithmetic',
    x: { title: 'GFLOP', zero: true },
    y: { title: 'ms', zero: true },
    series: [line('measured', rows, (row) => [row.gflop, row.ms])],
  }),
  threads: (rows) => ({
    title: `${network}: images a second by threads`,
    x: { title: 'threads', whole: true },
    y: { title: 'images a second', zero: true },
    series: [
      line('measured', rows, (row) => [row.threads, row.imagesPerSecond]),
      {
        ...line('in proportion', rows, (row) => [
          row.threads,
          (rows[0]!.imagesPerSecond * row.threads) / rows[0]!.threads,
        ]),
        colour: COLOURS.orange,
        line: 'dashed',
      },
    ],
  }),
}

function line(name: string, rows: readonly ScaleRow[], point: (row: ScaleRow) => [number, number]) {
  return { name, points: rows.map(point), colour: COLOURS.blue, dots: true } as const
}

const device = await Device.open('cpu')
const description = machine({ device: device.description })
device.close()
const rows: ScaleRow[] = []
for (const sweep of values.sweeps.split(',')) {
  const points = sweeps.get(sweep)
  if (!points) throw new Error(`no sweep '${sweep}': there are ${[...sweeps.keys()].join(', ')}`)
  const measured = await measure(sweep, points)
  for (const row of measured) say(row)
  rows.push(...measured)
  if (values.out === undefined) continue
  await mkdir(values.out, { recursive: true })
  await writeFile(join(values.out, `scale-${sweep}.svg`), await drawPlot(VIEWS[sweep]!(measured)))
}
await writeResults(values.csv, { machine: description, rows })
