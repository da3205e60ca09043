// What must not take a process or a device down: workers, the end of a process with work in flight, work taken back,
// and too little memory.
//
//   hazards.js                 all of them
//   hazards.js PART            one of them, in the process that it may end
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createModel } from '../../models/index.js'
import { AbortError, OutOfMemoryError } from '../../ts/errors.js'
import type { Device } from '../../ts/runtime/device.js'
import { elementCount, tensor, type Tensor } from '../../ts/tensor.js'
import { report } from '../support/row.js'
import { openTarget, reduced } from '../support/target.js'

const FILE = fileURLToPath(import.meta.url)
const NETWORK = reduced ? 'resnet20' : 'resnet50'
const BATCH = reduced ? 4 : 64
/** Runs that are queued at once, so that some are in flight. */
const RUNS = reduced ? 4 : 40
const SECONDS = 60
/** Images whose activations in training no device has room for, though each tensor has fewer than 2^31 elements. */
const TOO_MANY = reduced ? 60_000 : 2_500

async function program(device: Device, batch = BATCH) {
  const net = await createModel(NETWORK).compile(device, { batch })
  const images = tensor(new Float32Array(elementCount(net.inputShape)).fill(0.5), net.inputShape)
  return { net, images, run: (signal?: AbortSignal) => net.predict(images, signal ? { signal } : {}) }
}

const isFinite = ({ logits }: { readonly logits: Tensor }) => logits.data.every(Number.isFinite)

/** Work in flight that nobody waits for. */
async function busy() {
  const device = await openTarget()
  const { run } = await program(device)
  for (let i = 0; i < RUNS; i++) run().catch(() => null)
  await after(50)
}

/** What ends the process, or the thread, that it runs in. */
const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  async exit() {
    await busy()
    process.exit(7)
  },
  async error() {
    await busy()
    throw new Error('on purpose')
  },
  async undisposed() {
    const device = await openTarget()
    const { run } = await program(device)
    await run()
  },
  async compiling() {
    const device = await openTarget()
    for (let i = 1; i <= 4; i++) program(device, i).catch(() => null)
    await after(50)
    process.exit(7)
  },
  async worker() {
    const device = await openTarget()
    const { run } = await program(device)
    parentPort!.postMessage(isFinite(await run()))
    device.close()
  },
  async endless() {
    await busy()
    parentPort!.postMessage('running')
    await after(1000 * SECONDS)
  },
}

const HAZARDS: Readonly<Record<string, () => Promise<string | null>>> = {
  'exit with work in flight': () => ends('exit', 7),
  'exit while compiling': () => ends('compiling', 7),
  'an uncaught error with work in flight': () => ends('error', 1),
  'nothing disposed': () => ends('undisposed', 0),
  async 'four workers at once'() {
    const workers = Array.from({ length: 4 }, () => new Worker(FILE, { workerData: 'worker' }))
    const right = await Promise.all(
      workers.map(async (worker) => (await once(worker, 'message'))[0] as boolean),
    )
    await Promise.all(workers.map((worker) => worker.terminate()))
    return right.every(Boolean) ? null : `right: ${right.join(', ')}`
  },
  async 'workers terminated in mid-run'() {
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(FILE, { workerData: 'endless' })
      await once(worker, 'message')
      await worker.terminate()
    }
    return goesOn(await openTarget())
  },
  async 'work taken back'() {
    const device = await openTarget()
    const { net, run } = await program(device)
    const controller = new AbortController()
    const runs = Array.from({ length: RUNS }, () => run(controller.signal))
    controller.abort()
    const ended = await Promise.allSettled(runs)
    const wrong = ended.filter(
      (result) => result.status === 'rejected' && !(result.reason instanceof AbortError),
    ).length
    const aborted = ended.filter(({ status }) => status === 'rejected').length
    net.dispose()
    if (wrong > 0 || aborted === 0) return `${aborted} of ${RUNS} taken back, ${wrong} with another error`
    return goesOn(device)
  },
  async 'too little memory'() {
    const device = await openTarget()
    const model = createModel(NETWORK)
    const error: unknown = await model.compile(device, { batch: TOO_MANY, training: true }).then(
      () => null,
      (reason: unknown) => reason,
    )
    if (!(error instanceof OutOfMemoryError)) return `expected OutOfMemoryError, got ${String(error)}`
    if (!/\d[\d,.]* ?(bytes|[KMGT]i?B)/.test(error.message)) return `no bytes in "${error.message}"`
    return goesOn(device)
  },
  async 'a hundred programs do not grow'() {
    const device = await openTarget()
    const model = createModel('resnet20')
    let first = 0
    for (let i = 0; i < (reduced ? 4 : 100); i++) {
      const net = await model.compile(device, { batch: 1 + (i % 2) })
      net.dispose()
      if (i === 1) first = await settled(device)
    }
    const last = await settled(device)
    device.close()
    return last <= first * 1.01 + 2 ** 20 ? null : `${first} bytes after two, ${last} at the end`
  },
  async 'two devices at once'() {
    const devices = [await openTarget(), await openTarget()]
    const problems = await Promise.all(devices.map(goesOn))
    return problems.find((problem) => problem !== null) ?? null
  },
}

async function settled(device: Device): Promise<number> {
  await after(200)
  return device.memory().live
}

/** Whether a device still computes. Closes it. */
async function goesOn(device: Device): Promise<string | null> {
  const { net, run } = await program(device, 1)
  const right = isFinite(await run())
  net.dispose()
  device.close()
  return right ? null : 'the device computes no numbers any more'
}

async function ends(part: string, code: number): Promise<string | null> {
  const child = spawn(process.execPath, [FILE, part], { stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  child.stderr.on('data', (data) => (words += String(data)))
  const timer = setTimeout(() => child.kill('SIGKILL'), SECONDS * 1000)
  const [got, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearTimeout(timer)
  return got === code
    ? null
    : `ended with code ${got ?? 'none'}, signal ${signal ?? 'none'}: ${words.slice(-500)}`
}

const part = isMainThread ? process.argv[2] : (workerData as string)
if (part !== undefined) await PARTS[part]!()
else {
  for (const [name, hazard] of Object.entries(HAZARDS)) {
    const problem = await hazard().catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    )
    report({ check: 'hazard', name, status: problem === null ? 'pass' : 'fail', note: problem ?? '' })
  }
  process.exit(0)
}
