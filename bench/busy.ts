// Throughput beside a second process that keeps every core busy, as a share of the idle machine's. The other process
// is stopped and woken by signals, so that idle and busy rounds take turns. Prints a line of JSON a contender.
//
//   node dist/bench/busy.js [--contenders onnxruntime] [--threads 2] [--rounds 9] [--python PATH] [--csv FILE]
//                           [NETWORK[:MODE][:BATCH] ...]
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { median, quartiles } from '../ts/report/quartiles.js'
import type { Contender } from './support/contender.js'
import { able, start, WeightFiles, type ContenderName, type Setting } from './support/contenders.js'
import { machine } from './support/machine.js'
import { parseCases, type Case } from './support/networks.js'
import { installPeers } from './support/peers.js'
import { digits, say, writeResults } from './support/results.js'
import type { BusyRow } from './support/rows.js'
import { callsFor } from './support/statistics.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    contenders: { type: 'string', default: 'onnxruntime' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '9' },
    python: { type: 'string' },
    csv: { type: 'string' },
  },
})
const setting: Setting = { threads: Number(values.threads), python: values.python }

/** Computes for ever on a thread a core. */
const SPIN = `
const { Worker } = require('node:worker_threads')
for (let i = 0; i < ${availableParallelism()}; i++) new Worker('for (;;);', { eval: true })`

/** Long enough for the scheduler to see that a process has come or gone. */
const SETTLE = 300

/** Milliseconds of steps in a round: many of the scheduler's slices. */
const ROUND = 1000

async function measure(
  one: Case,
  name: ContenderName,
  other: { kill(signal: NodeJS.Signals): boolean },
): Promise<BusyRow> {
  const files = await WeightFiles.write(one, [name])
  let contender: Contender | undefined
  try {
    contender = await start(name, one, files, setting)
    const { milliseconds } = await contender.round(2)
    const steps = callsFor(milliseconds[1]!, ROUND)
    const times = { idle: [] as number[], busy: [] as number[] }
    for (let round = 0; round < Number(values.rounds); round++) {
      times.idle.push(await perStep(contender, steps))
      other.kill('SIGCONT')
      await sleep(SETTLE)
      times.busy.push(await perStep(contender, steps))
      other.kill('SIGSTOP')
      await sleep(SETTLE)
    }
    const share = quartiles(times.idle.map((idle, round) => idle / times.busy[round]!))
    return {
      ...one,
      threads: setting.threads,
      contender: name,
      version: contender.description,
      idleImagesPerSecond: digits((1000 * one.batch) / median(times.idle)),
      busyImagesPerSecond: digits((1000 * one.batch) / median(times.busy)),
      shareLow: digits(share.low),
      share: digits(share.median),
      shareHigh: digits(share.high),
    }
  } finally {
    await contender?.stop()
    await files.remove()
  }
}

/** The mean, since throughput is meant: waiting for the processor comes in lumps. */
async function perStep(contender: Contender, steps: number): Promise<number> {
  const { milliseconds } = await contender.round(steps)
  return milliseconds.reduce((sum, one) => sum + one, 0) / steps
}

const names = ['fovea', ...values.contenders.split(',').filter((name) => name !== '')] as ContenderName[]
if (names.some((name) => name === 'onnxruntime' || name === 'tfjs')) installPeers()
const words = positionals.length > 0 ? positionals : ['resnet50:1', 'resnet50:8', 'resnet50:training']
const description = machine()
const other = spawn(process.execPath, ['-e', SPIN], { stdio: 'inherit' })
const rows: BusyRow[] = []
try {
  await sleep(SETTLE)
  other.kill('SIGSTOP')
  for (const one of parseCases(words, { modes: ['inference'], batches: [1, 8] }))
    for (const name of names) {
      if (!able(name, one, setting)) continue
      rows.push(await measure(one, name, other))
      say(rows.at(-1)!)
    }
} finally {
  other.kill('SIGKILL')
}
await writeResults(values.csv, { machine: description, rows })
