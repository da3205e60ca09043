// What a step costs beside its kernels: the time from the call until its promise resolves, less the times of all its
// kernels in the same run (which copies inputs in, but no logits out); and how often a step crosses from JavaScript into the addon. Prints a line of JSON a
// network. The delay of the event loop is what bench/event-loop.ts measures.
//
//   node dist/bench/overhead.js [--modes inference] [--batch 1,8] [--threads 2] [--rounds 15] [--csv FILE]
//                               [NETWORK[:MODE][:BATCH] ...]
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { median, quartiles } from '../ts/report/quartiles.js'
import { createModel } from '../models/index.js'
import { Device } from '../ts/runtime/device.js'
import { tensor } from '../ts/tensor.js'
import { Crossings } from './support/crossings.js'
import { machine } from './support/machine.js'
import { compile, numbers, parseCases, parseModes, TRAINING, type Case } from './support/networks.js'
import { digits, say, writeResults } from './support/results.js'
import type { OverheadRow } from './support/rows.js'
import { samplePixels } from '../ts/runtime/profile.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modes: { type: 'string', default: 'inference' },
    batch: { type: 'string', default: '1,8' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '15' },
    csv: { type: 'string' },
  },
})
const crossings = new Crossings()

/** Calls into the addon that a step makes once it is compiled. */
async function crossingsOf(device: Device, { network, mode, batch }: Case): Promise<number> {
  const model = createModel(network)
  const { channels, size } = model.info.input
  const shape = [batch, channels, size, size]
  const images = tensor(samplePixels(shape), shape)
  if (mode === 'training') {
    using step = await model.compile(device, { batch, training: TRAINING })
    return await counted(() => step.run(images, new Int32Array(batch)))
  }
  using net = await model.compile(device, { batch })
  return await counted(() => net.predict(images))
}

async function counted(step: () => Promise<unknown>): Promise<number> {
  const before = crossings.count
  await step()
  return crossings.count - before
}

async function measure(device: Device, one: Case): Promise<OverheadRow> {
  using program = await compile(device, one)
  const { steps, seconds, wall } = await program.profile({ runs: Number(values.rounds) })
  const timed = steps.filter(({ phase }) => phase !== 'constants')
  const kernels = wall.map((_, run) => timed.reduce((sum, step) => sum + step.seconds[run]!, 0))
  const outside = quartiles(wall.map((whole, run) => (whole - kernels[run]!) / whole))
  return {
    ...one,
    threads: Number(values.threads),
    steps: timed.length,
    ms: digits(1000 * median(wall)),
    deviceMs: digits(1000 * median(seconds)),
    kernelsMs: digits(1000 * median(kernels)),
    outsideLow: digits(outside.low),
    outside: digits(outside.median),
    outsideHigh: digits(outside.high),
    crossings: await crossingsOf(device, one),
  }
}

const device = await Device.open('cpu', { threads: Number(values.threads) })
const description = machine({ device: device.description })
const rows: OverheadRow[] = []
for (const one of parseCases(positionals, {
  modes: parseModes(values.modes),
  batches: numbers(values.batch),
})) {
  rows.push(await measure(device, one))
  say(rows.at(-1)!)
}
device.close()
await writeResults(values.csv, { machine: description, rows })
