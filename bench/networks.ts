// Whole networks beside other runtimes on the same machine: latency at batch 1, throughput at 8 and 32, training steps
// (forward, loss, backward, SGD with momentum). Every contender has a process of its own, so that its peak memory is
// its own; they take turns. onnxruntime-node and TensorFlow.js compute fovea's very network and weights, and their
// results are compared; PyTorch, where a Python that has it is named, runs torchvision's network. Prints a line of
// JSON a contender: milliseconds a step, images a second, peak resident memory, and ratios by fovea's in the same
// round, above 1 where fovea is faster or smaller.
//
//   node dist/bench/networks.js [--modes inference,training] [--batch 1,8,32] [--threads 2] [--rounds 9]
//                               [--contenders fovea-bf16,fovea-int8,onnxruntime,tfjs,pytorch,pytorch-channels-last]
//                               [--python PATH] [--csv FILE] [NETWORK[:MODE][:BATCH] ...]
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { median, quartiles } from '../ts/report/quartiles.js'
import {
  able,
  CONTENDERS,
  interleaved,
  start,
  WeightFiles,
  type ContenderName,
  type Figures,
  type Opponent,
  type Setting,
} from './support/contenders.js'
import type { Contender } from './support/contender.js'
import { machine } from './support/machine.js'
import { numbers, parseCases, parseModes, type Case } from './support/networks.js'
import { installPeers } from './support/peers.js'
import { digits, say, writeResults, type Row } from './support/results.js'
import type { NetworkRow } from './support/rows.js'
import { geometricMean } from './support/statistics.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modes: { type: 'string', default: 'inference,training' },
    batch: { type: 'string', default: '1,8,32' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '9' },
    contenders: { type: 'string', default: CONTENDERS.join(',') },
    python: { type: 'string' },
    csv: { type: 'string' },
  },
})
const setting: Setting = { threads: Number(values.threads), python: values.python }
const opponents = values.contenders.split(',').filter((name) => name !== '')
for (const name of opponents)
  if (!(CONTENDERS as readonly string[]).includes(name))
    throw new Error(`no contender '${name}': there are ${CONTENDERS.join(', ')}`)

/** Relative: what different orders of summation explain, or eight bits of a number, and no more. */
const TOLERANCE = { f32: 1e-4, bf16: 0.1, int8: 0.1 }

async function compare(one: Case): Promise<NetworkRow[]> {
  const names = (['fovea', ...opponents] as ContenderName[]).filter((name) => able(name, one, setting))
  const files = await WeightFiles.write(one, names)
  const contenders = new Map<ContenderName, Contender>()
  try {
    for (const name of names) contenders.set(name, await start(name, one, files, setting))
    const figures = await interleaved(contenders, { rounds: Number(values.rounds) })
    return names.map((name) => rowOf(one, name, contenders, figures))
  } finally {
    for (const contender of contenders.values()) await contender.stop()
    await files.remove()
  }
}

function rowOf(
  { network, mode, batch }: Case,
  name: ContenderName,
  contenders: ReadonlyMap<ContenderName, Contender>,
  figures: ReadonlyMap<ContenderName, Figures>,
): NetworkRow {
  const { times, peakMiB } = figures.get(name)!
  const fovea = figures.get('fovea')!
  const ms = quartiles(times)
  const ratio = quartiles(times.map((time, round) => time / fovea.times[round]!))
  const { description, output } = contenders.get(name)!
  return {
    network,
    mode,
    batch,
    threads: setting.threads,
    contender: name,
    version: description,
    ms: digits(ms.median),
    msLow: digits(ms.low),
    msHigh: digits(ms.high),
    imagesPerSecond: digits((1000 * batch) / ms.median),
    peakMiB: Math.round(peakMiB),
    ratio: digits(ratio.median),
    ratioLow: digits(ratio.low),
    ratioHigh: digits(ratio.high),
    memoryRatio: digits(peakMiB / fovea.peakMiB),
    difference: distance(name, output, contenders.get('fovea')!.output),
  }
}

/** @throws Error where a contender computes something else: its time would say nothing */
function distance(
  name: string,
  got: readonly number[] | null,
  expected: readonly number[] | null,
): number | null {
  if (!got || !expected) return null
  const error = Math.hypot(...got.map((value, i) => value - expected[i]!)) / Math.hypot(...expected)
  const tolerance = TOLERANCE[(/(bf16|int8)$/.exec(name)?.[0] as 'bf16' | 'int8' | undefined) ?? 'f32']
  if (!(error < tolerance))
    throw new Error(`${name}: its results are ${error} from fovea's, expected less than ${tolerance}`)
  return digits(error, 2)
}

/** Geometric means over the networks. */
function summaries(rows: readonly NetworkRow[]): Row[] {
  const groups = new Map<string, NetworkRow[]>()
  for (const row of rows) {
    if (row.contender === 'fovea') continue
    // Batches of training differ from network to network.
    const key = `${row.contender}, ${row.mode}${row.mode === 'training' ? '' : `, batch ${row.batch}`}`
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return [...groups].map(([summary, some]) => ({
    summary,
    networks: some.length,
    ratio: digits(geometricMean(some.map(({ ratio }) => ratio))),
    worst: digits(Math.min(...some.map(({ ratio }) => ratio))),
    memoryRatio: digits(median(some.map(({ memoryRatio }) => memoryRatio))),
  }))
}

const isNode = (name: string): name is Opponent => name === 'onnxruntime' || name === 'tfjs'
if (opponents.some(isNode)) installPeers()
const cases = parseCases(positionals, { modes: parseModes(values.modes), batches: numbers(values.batch) })
const rows: NetworkRow[] = []
const description = machine()
for (const one of cases) {
  for (const row of await compare(one)) {
    rows.push(row)
    say(row)
  }
}
for (const line of summaries(rows)) say(line)
await writeResults(values.csv, { machine: description, rows })
