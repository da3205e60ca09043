// Every operation of the networks on every shape, forward and backward: its time, its rates against the machine's
// own ceilings (a matrix product and a triad, measured in the same rounds), and the time that the library takes for
// it when it is called directly from C++. Networks are compiled as a user compiles them and run step by step; in
// each round fovea, the library and the ceilings have their turns. What several networks share counts once. Prints
// a line of JSON a kernel.
//
//   node dist/bench/kernels.js [--modes inference,training] [--batch 1] [--rounds 7] [--runs 3] [--precision f32] [--cold]
//                              [--threads 2] [--csv FILE] [--compare FILE] [NETWORK[:MODE][:BATCH] ...]
//
// --cold: no operand is in the processor's caches when a kernel begins, instead of all that fit.
// --compare: names the kernels that are slower than in a stored CSV, and ends with 1 if there are any.
import { parseArgs } from 'node:util'
import { availableParallelism } from 'node:os'
import { parsePrecision, type Precision } from '../ts/compile/precision.js'
import { median, quartiles } from '../ts/report/quartiles.js'
import { Device } from '../ts/runtime/device.js'
import type { ProfiledStep } from '../ts/runtime/profile.js'
import { Direct, type Ceilings } from './support/direct.js'
import { machine } from './support/machine.js'
import { compile, numbers, parseCases, parseModes, type Case } from './support/networks.js'
import { spell } from './support/problems.js'
import { regressions } from './support/regressions.js'
import { digits, readResults, say, writeResults } from './support/results.js'
import type { KernelRow } from './support/rows.js'
import { geometricMean } from './support/statistics.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modes: { type: 'string', default: 'inference,training' },
    batch: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '7' },
    runs: { type: 'string', default: '3' },
    precision: { type: 'string', default: 'f32' },
    cold: { type: 'boolean', default: false },
    threads: { type: 'string', default: String(availableParallelism()) },
    csv: { type: 'string' },
    compare: { type: 'string' },
  },
})
const { cold } = values
const precision = parsePrecision(values.precision as Precision)
const [rounds, runs, threads] = [Number(values.rounds), Number(values.runs), Number(values.threads)]

/** One kernel on one problem, wherever it is met. */
interface Kernel {
  readonly step: ProfiledStep
  readonly where: Case
  readonly problem: string
  count: number
  /** Seconds, one list a round. */
  readonly fovea: number[][]
  readonly same: number[][]
  readonly first: number[][]
  sameKernel: string
  firstKernel: string
}

const kernels = new Map<string, Kernel>()
const ceilings: Ceilings[] = []

async function measure(device: Device, direct: Direct, where: Case): Promise<void> {
  using program = await compile(device, where, precision)
  const fresh = new Map<string, Kernel>()
  for (let round = 0; round < rounds; round++) {
    ceilings.push(await direct.ceilings())
    const { steps } = await program.profile({ runs, caches: cold ? 'cold' : 'warm' })
    for (const step of steps) {
      if (step.phase === 'constants' || step.problem === null) continue
      const problem = spell(step.problem)
      const { implementation, inputs } = step
      // Of the name of a layout the first word; an element type may follow, which the problem has.
      const [layout] = (inputs[0] ?? '').split(' ')
      const key = `${problem} mode=${where.mode} layout=${layout} implementation=${implementation}`
      if (kernels.has(key)) continue
      const kernel = fresh.get(key) ?? {
        step,
        where,
        problem,
        count: 0,
        ...{ fovea: [], same: [], first: [], sameKernel: '', firstKernel: '' },
      }
      fresh.set(key, kernel)
      if (round === 0) kernel.count++
      kernel.fovea[round] = [...(kernel.fovea[round] ?? []), ...step.seconds]
    }
    for (const [key, kernel] of fresh) {
      // Names of kernels of our own have spaces and are not the library's.
      const { same, first } = await direct.measure(key.replace(/implementation=(fovea:|\d+ x ).*$/, ''), {
        cold,
        runs,
      })
      if (first.kernel === '') continue
      kernel.same[round] = [...same.seconds]
      kernel.first[round] = [...first.seconds]
      Object.assign(kernel, { sameKernel: same.kernel, firstKernel: first.kernel })
    }
  }
  for (const [key, kernel] of fresh) kernels.set(key, kernel)
}

function rowOf(kernel: Kernel, { flops, bytes }: Ceilings): KernelRow {
  const { step, where, problem, count, sameKernel, firstKernel } = kernel
  const { low, median: seconds, high } = quartiles(kernel.fovea.flat())
  const least = Math.max(step.flops / flops, step.moved / bytes)
  const direct = quartiles(kernel.same.flat())
  const ratios = quartiles(kernel.same.map((times, round) => median(times) / median(kernel.fovea[round]!)))
  return {
    op: step.op,
    network: where.network,
    mode: where.mode,
    batch: where.batch,
    layer: step.path,
    problem,
    kernel: step.implementation,
    layout: step.inputs[0] ?? '',
    count,
    flops: step.flops,
    bytes: step.moved,
    us: digits(1e6 * seconds),
    usLow: digits(1e6 * low),
    usHigh: digits(1e6 * high),
    gflops: digits(step.flops / seconds / 1e9),
    gbs: digits(step.moved / seconds / 1e9),
    ofGemm: digits(step.flops / seconds / flops),
    ofTriad: digits(step.moved / seconds / bytes),
    ofCeiling: digits(least / seconds),
    ofCeilingLow: digits(least / high),
    ofCeilingHigh: digits(least / low),
    directKernel: sameKernel,
    directUs: digits(1e6 * direct.median),
    ratioLow: digits(ratios.low),
    ratio: digits(ratios.median),
    ratioHigh: digits(ratios.high),
    firstKernel,
    firstUs: digits(1e6 * median(kernel.first.flat())),
  }
}

/** What the rows say together, for operations that compute much. */
function summary(rows: readonly KernelRow[]) {
  return ['convolution', 'convolutionBackwardData', 'convolutionBackwardWeights', 'linear'].flatMap((op) => {
    const some = rows.filter((row) => row.op === op)
    if (some.length === 0) return []
    const compared = some.map(({ ratio }) => ratio).filter((ratio) => !Number.isNaN(ratio))
    return {
      summary: op,
      kernels: some.length,
      ofGemm: digits(geometricMean(some.map(({ ofGemm }) => ofGemm))),
      directOverFovea: compared.length > 0 ? digits(geometricMean(compared)) : null,
    }
  })
}

const cases = parseCases(positionals, { modes: parseModes(values.modes), batches: numbers(values.batch) })
const stored = values.compare === undefined ? null : await readResults<KernelRow>(values.compare)
const direct = await Direct.start(threads)
const device = await Device.open('cpu', { threads })
const description = machine({ device: device.description, precision, caches: cold ? 'cold' : 'warm' })
for (const one of cases) await measure(device, direct, one)
device.close()
await direct.stop()

const limits = {
  flops: median(ceilings.map(({ flops }) => flops)),
  bytes: median(ceilings.map(({ bytes }) => bytes)),
}
const rows = [...kernels.values()].map((kernel) => rowOf(kernel, limits))
for (const row of rows) say(row)
for (const line of summary(rows)) say(line)
const known = { gemm: `${digits(limits.flops / 1e9)} GFLOP/s`, triad: `${digits(limits.bytes / 1e9)} GB/s` }
say({ summary: 'ceilings', ...known })
await writeResults(values.csv, { machine: { ...description, ...known }, rows })
if (stored) {
  const slower = regressions(rows, stored.rows)
  for (const { row, before } of slower)
    say({ slower: row.problem, network: row.network, kernel: row.kernel, ofCeiling: row.ofCeiling, before })
  process.exitCode = slower.length > 0 ? 1 : 0
}
