// What starting costs: `import 'fovea'`, `fovea --help`, and opening the CPU and compiling a network with kernels that
// are known from before, in fresh processes that take turns with the least that each can be compared with: Node.js
// doing nothing, and a process that does all of it but compile. Prints a line of JSON each.
//
//   node dist/bench/startup.js [--network resnet50] [--rounds 15] [--csv FILE]
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { createModel, parseModelName } from '../models/index.js'
import { quartiles } from '../ts/report/quartiles.js'
import { machine } from './support/machine.js'
import { digits, say, writeResults } from './support/results.js'
import type { StartupRow } from './support/rows.js'

const { values } = parseArgs({
  options: {
    network: { type: 'string', default: 'resnet50' },
    rounds: { type: 'string', default: '15' },
    csv: { type: 'string' },
  },
})
const network = parseModelName(values.network)
const built = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const module = JSON.stringify(pathToFileURL(built('ts/index.js')).href)
const folder = await mkdtemp(join(tmpdir(), 'fovea-bench-'))
const weights = join(folder, 'weights.safetensors')
await createModel(network).save(weights)

const script = (text: string) => ['--input-type=module', '-e', text]
const reading = `import { createModel } from ${module}
  const model = createModel('${network}')
  await (await import('node:fs/promises')).readFile(${JSON.stringify(weights)})`
const loading = `import { createModel, Device } from ${module}
  const model = createModel('${network}')
  await model.load(${JSON.stringify(weights)})
  const device = await Device.open('cpu')
  const net = await model.compile(device)`
const PROCESSES: Readonly<Record<string, readonly string[]>> = {
  'node -e 0': ['-e', '0'],
  'import fovea': script(`import ${module}`),
  'fovea --help': [built('ts/cli/main.js'), '--help'],
  'import, read the weights': script(reading),
  'import, load, open, compile': script(loading),
  'import, load, open, compile, run': script(`${loading}
  await net.predict(new (await import(${module})).Tensor(net.inputShape, new Float32Array(net.inputShape.reduce((a, b) => a * b))))`),
}
const BESIDE: Readonly<Record<string, string>> = {
  'import fovea': 'node -e 0',
  'fovea --help': 'node -e 0',
  'import, load, open, compile': 'import, read the weights',
  'import, load, open, compile, run': 'import, read the weights',
}

function time(name: string): number {
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, PROCESSES[name]!, { encoding: 'utf8' })
  const end = performance.now()
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`)
  return end - start
}

const description = machine()
const times = new Map(Object.keys(PROCESSES).map((name) => [name, [] as number[]]))
try {
  // Files are read, and kernels chosen.
  for (const name of times.keys()) time(name)
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [name, list] of times) list.push(time(name))
} finally {
  await rm(folder, { recursive: true })
}
const rows = Object.entries(BESIDE).map(([what, beside]): StartupRow => {
  const ms = quartiles(times.get(what)!)
  const beyond = quartiles(times.get(what)!.map((time, round) => time - times.get(beside)![round]!))
  return {
    what,
    msLow: digits(ms.low),
    ms: digits(ms.median),
    msHigh: digits(ms.high),
    beside,
    beyondLow: digits(beyond.low),
    beyond: digits(beyond.median),
    beyondHigh: digits(beyond.high),
  }
})
for (const row of rows) say(row)
await writeResults(values.csv, { machine: description, rows })
