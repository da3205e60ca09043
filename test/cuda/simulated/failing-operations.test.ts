import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, describe, expect, test } from 'vitest'
import { relativeL2 } from '../../support/gradients.js'
import { openSimulated, simulator } from './device.js'
import { KERNEL_CASES } from './kernel-cases.js'
import { LIBRARY_CASES } from './library-cases.js'
import { compute, type Case } from './one-operation.js'

// Every operation, forward and backward, while the n-th library call, or the n-th allocation, of its first
// compilation and run on a device fails: the error is a typed one that names the call, the device then does the same
// work as if nothing was, and nothing is left behind.

process.env.CUDASIM_QUIET = '1'

/** How many of an operation's calls fail in turn, at most; under another simulation, which is slower, fewer. */
const MOST = process.env.FOVEA_SIMULATION ? 5 : 40
/** Between two runs of one operation: a kernel may be another, which sums in another order. */
const BOUND = 1e-6

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is alive once all that nothing refers to is collected. */
async function settled(expected: object): Promise<void> {
  const alive = () => {
    collect()
    return simulator.resources()
  }
  await expect.poll(alive, { timeout: 30_000 }).toEqual(expected)
}

interface Failure {
  readonly code?: string
  readonly message: string
}

/** What a failing call may lead to: an error of ours that names it; `null` where nobody minds. */
function wordsOf(error: Failure | null): string | null {
  if (error === null) return null
  return ['BACKEND', 'OUT_OF_MEMORY'].includes(error.code ?? '') ? error.message : `untyped: ${error.message}`
}

/** The operation's results on a device of its own, whose work is disturbed in between; its resting memory. */
async function disturbed(one: Case, expected: readonly Float32Array[] | null, disturb: () => void) {
  const device = await openSimulated()
  try {
    disturb()
    const start = { calls: simulator.get('calls'), allocations: simulator.get('allocations') }
    let error: Failure | null = null
    let results: readonly Float32Array[] = []
    try {
      results = await compute(device, one, 'f32')
    } catch (thrown) {
      error = thrown as Failure
    }
    const count = {
      calls: simulator.get('calls') - start.calls,
      allocations: simulator.get('allocations') - start.allocations,
    }
    simulator.failCall(0)
    simulator.failAllocation(0)
    const again = await compute(device, one, 'f32')
    const right = (got: readonly Float32Array[]) =>
      expected === null || got.every((values, i) => relativeL2(values, expected[i]!) < BOUND)
    return {
      error,
      results,
      count,
      right: (error !== null || right(results)) && right(again),
      live: device.memory().live,
    }
  } finally {
    simulator.failCall(0)
    device.close()
    // A closed device lives until it is collected, and some hold 32 MiB.
    if (++opened % 8 === 0) {
      collect()
      await setImmediate()
    }
  }
}
let opened = 0

/** 1, ..., count, or so many of them, evenly, with the first and the last. */
const sampled = (count: number, most: number): readonly number[] =>
  count <= most
    ? Array.from({ length: count }, (_, i) => i + 1)
    : Array.from({ length: most }, (_, i) => 1 + Math.round((i * (count - 1)) / (most - 1)))

const done = { calls: 0, ofCalls: 0, allocations: 0, ofAllocations: 0, errors: 0 }
afterAll(() => {
  process.stdout.write(
    `failing operations: ${done.calls} of ${done.ofCalls} calls and ${done.allocations} of ` +
      `${done.ofAllocations} allocations failed in turn, ${done.errors} of them ended in an error\n`,
  )
})

describe('each call, and each allocation, of', () => {
  test.each([...LIBRARY_CASES, ...KERNEL_CASES].map((one, i) => [`${one.op} (${i})`, one] as const))(
    '%s',
    { timeout: 600_000 },
    async (_, one) => {
      collect()
      const before = simulator.resources()
      const undisturbed = await disturbed(one, null, () => undefined)
      const wrong: string[] = []
      const attempt = async (what: string, named: () => string, disturb: () => void, code?: string) => {
        const { error, right, live } = await disturbed(one, undisturbed.results, disturb)
        const words = wordsOf(error)
        if (words !== null) done.errors++
        if (words !== null && !words.includes(named())) wrong.push(`${what}, ${named()}: ${words}`)
        if (code && error?.code !== code) wrong.push(`${what}: ${error?.code ?? 'no error'}, and not ${code}`)
        if (!right) wrong.push(`${what}, ${named()}: wrong results`)
        if (live !== undisturbed.live) wrong.push(`${what}: ${live} bytes live, and not ${undisturbed.live}`)
      }
      const calls = undisturbed.count.calls
      for (const n of sampled(calls, MOST)) {
        await attempt(
          `call ${n} of ${calls}`,
          () => simulator.failedCall(),
          () => simulator.failCall(n),
        )
        done.calls++
      }
      const { allocations } = undisturbed.count
      for (const n of sampled(allocations, MOST)) {
        await attempt(
          `allocation ${n} of ${allocations}`,
          () => 'cudaMalloc',
          // The first time, what is kept is given back, and there may be memory then.
          () => simulator.failAllocation(n, 2),
          'OUT_OF_MEMORY',
        )
        done.allocations++
      }
      done.ofCalls += calls
      done.ofAllocations += allocations
      expect(wrong).toEqual([])
      await settled(before)
    },
  )
})
