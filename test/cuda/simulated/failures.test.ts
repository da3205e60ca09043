import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

/** Two training steps, of which the second is recorded, and then an evaluation. */
async function work(on: Device): Promise<number[]> {
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

async function attempt(): Promise<unknown> {
  try {
    return await work(device)
  } catch (error) {
    return error
  }
}

describe('one failure after the other', () => {
  let expected: readonly number[]
  let resources: object
  beforeAll(async () => {
    expected = await work(device)
    // What the device keeps for itself is there from now on.
    expect(await work(device)).toEqual(expected)
    resources = state.resources()
  })

  /** Lets something fail at each of some places. */
  async function each(
    count: number,
    stride: number,
    arm: (n: number) => void,
    check: (error: unknown) => void,
  ) {
    let failed = 0
    for (let n = 1; n <= count; n += stride) {
      const before = state.get('injected')
      arm(n)
      const outcome = await attempt()
      arm(0)
      if (state.get('injected') === before) break
      failed++
      // What only told a wish, such as how to wait, may fail without harm.
      if (outcome instanceof Error) check(outcome)
      else expect(outcome, `after call ${n} failed`).toEqual(expected)
      expect(state.resources(), `after call ${n} failed`).toEqual(resources)
      expect(await work(device), `after call ${n} failed`).toEqual(expected)
    }
    return failed
  }

  test('of an allocation', async () => {
    const failed = await each(
      1000,
      1,
      (n) => state.set('failAllocation', n),
      (error) => {
        expect(error).toBeInstanceOf(OutOfMemoryError)
        expect((error as Error).message).toMatch(/\d+ bytes/)
      },
    )
    expect(failed).toBeGreaterThanOrEqual(0)
  })

  test('of a library call', { timeout: 600_000 }, async () => {
    const start = state.get('calls')
    await work(device)
    const calls = state.get('calls') - start
    const stride = Math.max(1, Math.floor(calls / 60))
    const failed = await each(
      calls,
      stride,
      (n) => state.failCall(n),
      (error) => expect(error).toBeInstanceOf(FoveaError),
    )
    expect(failed).toBeGreaterThan(40)
  })
})

test('a new device, each of whose first calls fails', { timeout: 600_000 }, async () => {
  const before = state.resources()
  const start = state.get('calls')
  Device.prototype.close.call(await Device.open('cuda', { cudaPath }))
  const calls = state.get('calls') - start
  expect(calls).toBeGreaterThan(10)
  for (let n = 1; n <= calls; n++) {
    state.failCall(n)
    const outcome = await Device.open('cuda', { cudaPath }).catch((error: unknown) => error)
    state.failCall(0)
    if (outcome instanceof Device) outcome.close()
    else expect(outcome, `call ${n}`).toBeInstanceOf(FoveaError)
  }
  const last = await Device.open('cuda', { cudaPath })
  last.close()
  // Devices end on their own threads.
  await expect.poll(() => state.resources(), { timeout: 10_000 }).toEqual(before)
})
