// The degradation experiment of He et al. 2015 (figure 1, and figure 6 in section 4.2): plain and residual networks
// of 20 and 56 layers on CIFAR-10, all with the same budget, in one plot.
//
//   node dist/examples/degradation.js --out DIR [--epochs 164] [--recipe resnet_cifar] [--resume] [--batch 128]
//                                     [--seed 0] [--threads N] [--workers N] [--device cpu] [--folder CIFAR10]
//
// Ctrl-C saves and ends; with --resume each run goes on where it stopped.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { createModel } from '../models/index.js'
import { recipeNamed } from '../models/recipes.js'
import { openData } from '../ts/cli/datasets.js'
import { trainingProgress } from '../ts/cli/training-progress.js'
import { Device, type Dataset, type DeviceName } from '../ts/index.js'
import {
  COLOURS,
  drawPlot,
  readMetrics,
  writeReport,
  type RunMetrics,
  type Series,
} from '../ts/report/index.js'
import type { Recipe } from '../ts/train/recipe.js'
import { train } from '../ts/train/trainer.js'

const NETWORKS = {
  plain20: COLOURS.pink,
  plain56: COLOURS.orange,
  resnet20: COLOURS.green,
  resnet56: COLOURS.blue,
} as const
type Name = keyof typeof NETWORKS
const NAMES = Object.keys(NETWORKS) as Name[]

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'degradation' },
    epochs: { type: 'string', default: '164' },
    recipe: { type: 'string', default: 'resnet_cifar' },
    resume: { type: 'boolean', default: false },
    batch: { type: 'string', default: '128' },
    seed: { type: 'string', default: '0' },
    threads: { type: 'string' },
    workers: { type: 'string' },
    device: { type: 'string', default: 'auto' },
    folder: { type: 'string' },
  },
})
const epochs = Number(values.epochs)
const { out } = values

/** The paper's rate falls after one half and three quarters of its epochs, here of these. */
const named = recipeNamed(values.recipe)
const milestones = [Math.round(epochs / 2), Math.round((3 * epochs) / 4)]
const recipe: Recipe =
  named.name === 'resnet_cifar' ? { ...named, schedule: { kind: 'step', milestones } } : named

const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort())
const { signal } = interrupt

const source = { signal, quiet: false, folder: values.folder }
const data = await openData('cifar10', { ...source, split: 'train' })
const validation = await openData('cifar10', { ...source, split: 'test' })
await mkdir(out, { recursive: true })
for (const name of NAMES) {
  if (signal.aborted) break
  await run(name, data, validation)
}
await plotAll()
if (signal.aborted) process.exitCode = 130

/** Trains one network; its folder is that of a `fovea train`. */
async function run(name: Name, data: Dataset, validation: Dataset): Promise<void> {
  const threads = values.threads === undefined ? {} : { threads: Number(values.threads) }
  // A device each, so that the memory of one network is free before the next one asks.
  using device = await Device.open(values.device as DeviceName, threads)
  const progress = trainingProgress({ data: data.name, quiet: false })
  try {
    await train({
      model: createModel(name),
      device,
      train: data,
      validation,
      recipe,
      epochs,
      batch: Number(values.batch),
      seed: Number(values.seed),
      ...(values.workers === undefined ? {} : { workers: Number(values.workers) }),
      out: join(out, name),
      resume: values.resume,
      onEvent: progress.onEvent,
      signal,
    })
    await writeReport(join(out, name))
  } finally {
    progress.stop()
  }
}

/** Draws and tells what has been measured so far. */
async function plotAll(): Promise<void> {
  const runs = new Map<Name, RunMetrics>()
  for (const name of NAMES) {
    const run = await readMetrics(join(out, name)).catch(() => undefined)
    if (run && run.epochs.length > 0) runs.set(name, run)
  }
  if (runs.size === 0) return
  const svg = await drawPlot({
    title: `Plain and residual networks on CIFAR-10, ${epochs} epochs`,
    x: { title: 'epochs', domain: [0, epochs], whole: true },
    y: { title: 'error (%)', zero: true },
    series: lines(runs),
    width: 740,
    height: 420,
  })
  await writeFile(join(out, 'degradation.svg'), svg)
  await sharp(Buffer.from(svg), { density: 144 }).png().toFile(join(out, 'degradation.png'))

  const results = [...runs].map(([network, { epochs: measured, parameters }]) => {
    const last = measured.at(-1)!
    const errors = measured.map((epoch) => 1 - epoch.validation!.top1)
    return {
      network,
      parameters,
      epochs: last.epoch,
      trainingError: percent(1 - last.train.top1),
      testError: percent(errors.at(-1)!),
      bestTestError: percent(Math.min(...errors)),
    }
  })
  await writeFile(join(out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  console.table(results)
  console.log(join(out, 'degradation.svg'))
}

/** As in figure 6: solid the errors on the test images, dashed those in training. */
function lines(runs: ReadonlyMap<Name, RunMetrics>): Series[] {
  const of = (what: string, error: (epoch: RunMetrics['epochs'][number]) => number) =>
    [...runs].map(([name, { epochs }]) => ({
      name: `${name} ${what}`,
      colour: NETWORKS[name],
      points: epochs.map((epoch) => [epoch.epoch, 100 * error(epoch)] as const),
    }))
  const training = of('training', ({ train }) => 1 - train.top1)
  return [
    ...of('test', ({ validation }) => 1 - validation!.top1),
    ...training.map((series) => ({ ...series, line: 'dashed' as const })),
  ]
}

function percent(share: number): number {
  return Number((100 * share).toFixed(2))
}
