import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FoveaError, OutOfMemoryError } from '../../../ts/errors.js'
import { Device } from '../../../ts/runtime/device.js'
import { tensor } from '../../../ts/tensor.js'
import { crossEntropy, sgd } from '../../../ts/index.js'
import { buildSimulator } from '../../cudasim/build.js'
import { SimulatorState } from '../../cudasim/state.js'
import { fixtureImage, setFixtureWeights } from '../../support/fixture-weights.js'
import { tiny } from '../../training/helpers.js'

// Whatever fails, and wherever: the error is a typed one, nothing is left behind, and the same device does the same
// work right afterwards.

const state = SimulatorState.create()
process.env.CUDASIM_STATE = state.path
process.env.CUDASIM_QUIET = '1'
// Asked for, so that nothing hides what was refused.
delete process.env.CUDASIM_LAZY

/** How many calls fail in turn; under another simulation, which is slower, fewer. */
const MOST = process.env.FOVEA_SIMULATION ? 12 : 60

let device: Device
let cudaPath: string
beforeAll(async () => {
  cudaPath = buildSimulator()
  device = await Device.open('cuda', { cudaPath, deterministic: true })
}, 600_000)
afterAll(() => {
  device.close()
  state.close()
})

const shape = [2, 1, 8, 8] as const
const images = fixtureImage('failures', [...shape])
const labels = Int32Array.of(3, 1)

/** Three training steps, of which the second is recorded, and then an evaluation. */
async function work(on: Device): Promise<number[]> {
  // A model's weights stay on a device until nothing refers to it any more.
  const model = tiny()
  await setFixtureWeights(model)
  using step = await model.compile(on, {
    batch: shape[0],
    training: { loss: crossEntropy(), optimizer: sgd({ lr: 0.1, momentum: 0.9 }) },
  })
  const losses: number[] = []
  for (let i = 0; i < 3; i++) losses.push((await step.run(images, labels)).loss)
  using evaluation = await model.compile(on, { batch: shape[0] })
  const { logits } = await evaluation.predict(tensor(images.data, [...shape]))
  return [...losses, ...logits.data]
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is alive, but for device memory, of which a device keeps what it was given back. */
function handles(): object {
  const { deviceBytes, deviceAllocations, ...others } = state.resources()
  expect((deviceBytes ?? 0) >= (deviceAllocations ?? 0)).toBe(true)
  return others
}

/** Devices and weights end when they are collected. */
async function settled<T>(expected: T, read: () => T, message: string): Promise<void> {
  const alive = () => {
    collect()
    return read()
  }
  await expect.poll(alive, { timeout: 20_000, message }).toEqual(expected)
}

/** Bytes that a device holds by itself, once everything that was made on it is collected. */
async function restingBytes(): Promise<number> {
  let least = Infinity
  for (let i = 0; i < 20; i++) {
    collect()
    least = Math.min(least, device.memory().live)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return least
}

async function attempt(on: Device): Promise<unknown> {
  try {
    return await work(on)
  } catch (error) {
    return error
  }
}

/**
 * Work whose n-th library call fails, and then work as if nothing was: whether that ended in an error, or null where
 * there were fewer calls. A function of its own, since an error keeps what is on its stack alive, and a test that
 * waits keeps its variables.
 */
async function failsAtCall(n: number, expected: readonly number[]): Promise<boolean | null> {
  const injected = state.get('injected')
  state.failCall(n)
  const outcome = await attempt(device)
  state.failCall(0)
  const which = `call ${n} failed: ${outcome instanceof Error ? outcome.message : 'nobody minded'}`
  // What is collected meanwhile is given back by calls, too: their number is not the same each time.
  if (state.get('injected') === injected) return null
  // What only gives back may fail without harm.
  if (outcome instanceof Error) {
    expect(outcome, which).toBeInstanceOf(FoveaError)
    expect(outcome.message, which).toContain(state.failedCall())
  } else expect(outcome, which).toEqual(expected)
  expect(await work(device), which).toEqual(expected)
  return outcome instanceof Error
}

test('each library call in turn', { timeout: 600_000 }, async () => {
  const expected = await work(device)
  const start = state.get('calls')
  expect(await work(device)).toEqual(expected)
  const calls = state.get('calls') - start
  const live = await restingBytes()
  const before = handles()
  const stride = Math.max(1, Math.floor(calls / MOST))
  let failed = 0
  let covered = 0
  for (let n = 1; n <= calls; n += stride) {
    const fails = await failsAtCall(n, expected)
    if (fails === null) break
    failed += fails ? 1 : 0
    covered++
  }
  process.stdout.write(
    `failing training and inference: ${covered} of ${calls} calls, ${failed} ended in an error\n`,
  )
  expect(failed).toBeGreaterThan(covered / 2)
  await settled(live, () => device.memory().live, 'at last')
  await settled(before, handles, 'at last')
})

/** A device whose n-th allocation fails while it works: the error, or null where there were fewer. */
async function withoutMemory(n: number, expected: readonly number[]): Promise<unknown> {
  using fresh = await Device.open('cuda', { cudaPath, deterministic: true })
  const injected = state.get('injected')
  // The first time, what is kept is given back, and there may be memory then.
  state.failAllocation(n, 2)
  const outcome = await attempt(fresh)
  state.failAllocation(0)
  if (state.get('injected') === injected) return null
  expect(await work(fresh), `after allocation ${n} failed`).toEqual(expected)
  return outcome
}

test('each allocation in turn', { timeout: 600_000 }, async () => {
  const expected = await work(device)
  await restingBytes()
  const before = handles()
  let n = 1
  for (; n < 1000; n++) {
    const outcome = await withoutMemory(n, expected)
    if (outcome === null) break
    expect(outcome, `allocation ${n}`).toBeInstanceOf(OutOfMemoryError)
    expect((outcome as Error).message).toMatch(/cudaMalloc.*\d+ bytes/)
  }
  process.stdout.write(`failing training and inference: all ${n - 1} allocations\n`)
  expect(n).toBeGreaterThan(5)
  await settled(before, handles, 'at last')
})

/** How often each function is called by a device that opens and works for the first time. */
async function callsOfFirstWork(): Promise<[symbol: string, count: number][]> {
  const before = state.calls()
  using fresh = await Device.open('cuda', { cudaPath, deterministic: true })
  const opened = state.calls()
  await work(fresh)
  return [...state.calls()]
    .map(([symbol, count]): [string, number] => [
      symbol,
      count - (opened.get(symbol) ?? before.get(symbol) ?? 0),
    ])
    .filter(([, count]) => count > 0)
}

/**
 * A device whose n-th call of a function fails in its first work, and which does its second as if nothing was.
 *
 * @returns what is wrong with that; null where nothing is
 */
async function wrongAfter(symbol: string, n: number, expected: readonly number[]): Promise<string | null> {
  using fresh = await Device.open('cuda', { cudaPath, deterministic: true })
  state.failCall(n, symbol)
  const first = await attempt(fresh)
  state.failCall(0)
  const second = await attempt(fresh)
  if (first instanceof Error ? !(first instanceof FoveaError) : !isDeepStrictEqual(first, expected))
    return `call ${n} of ${symbol} fails: ${first instanceof Error ? first.message : 'nobody minds, and the results are wrong'}`
  if (isDeepStrictEqual(second, expected)) return null
  return `after call ${n} of ${symbol} failed: ${second instanceof Error ? second.message : 'wrong results'}`
}

test('each function, the first, second and last time that it is called', { timeout: 600_000 }, async () => {
  const expected = await work(device)
  const called = await callsOfFirstWork()
  expect(called.length).toBeGreaterThan(30)
  await restingBytes()
  const before = handles()
  const wrong: (string | null)[] = []
  for (const [symbol, count] of called)
    for (const n of new Set([1, Math.min(2, count), count])) wrong.push(await wrongAfter(symbol, n, expected))
  expect(wrong.filter((message) => message !== null)).toEqual([])
  await settled(before, handles, 'at last')
})

async function openAndClose(): Promise<void> {
  const opened = await Device.open('cuda', { cudaPath })
  opened.close()
}

test('each call of opening a device in turn', { timeout: 600_000 }, async () => {
  await restingBytes()
  const before = handles()
  const start = state.get('calls')
  await openAndClose()
  const calls = state.get('calls') - start
  expect(calls).toBeGreaterThan(10)
  for (let n = 1; n <= calls; n++) {
    state.failCall(n)
    const outcome = await openAndClose().catch((error: unknown) => error)
    state.failCall(0)
    if (outcome) expect(outcome, `call ${n}`).toBeInstanceOf(FoveaError)
  }
  await openAndClose()
  await settled(before, handles, 'after all')
})
