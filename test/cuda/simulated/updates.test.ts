import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, floats, noise, PlanBuilder, type Device } from '../../native/addon.js'
import { relativeL2 } from '../../support/gradients.js'
import { openSimulated, simulator } from './device.js'

// Updates of many tensors are few launches, and what they compute is what one after the other would.

let cpu: Device
let cuda: Device
beforeAll(async () => {
  cpu = addon.openDevice('cpu', { threads: 1 })
  cuda = await openSimulated()
}, 900_000)
afterAll(() => {
  cpu.close()
  cuda.close()
})

/** More than one launch takes; elements from a few to more than a block takes. */
const SIZES = Array.from({ length: 130 }, (_, i) => 1 + ((i * i * 37) % 113) + (i % 40 === 0 ? 5000 : 0))

interface Updates {
  readonly plan: PlanBuilder
  readonly tensors: readonly (readonly [name: string, size: number])[]
}

/** Momentum SGD of all parameters with a norm that is given, then averages of what comes out. */
function training(rate = 0.5): Updates {
  const plan = new PlanBuilder()
  const scalars = plan.input('scalars', [4])
  const norm = plan.input('norm', [1])
  const tensors: [string, number][] = []
  const kept = (name: string, size: number) => {
    tensors.push([name, size])
    return plan.parameter(name, [size], true)
  }
  plan.phase('update')
  const parameters = SIZES.map((size, i) => {
    const parameter = kept(`parameter ${i}`, size)
    const velocity = kept(`velocity ${i}`, size)
    plan.run(
      'sgd',
      [parameter, plan.input(`gradient ${i}`, [size]), scalars, norm, velocity],
      [parameter, velocity],
      {
        ...{ lrScale: rate, weightDecay: 0.125, maxNorm: 0 },
        ...{ momentum: 0.5, nesterov: false },
      },
    )
    return parameter
  })
  parameters.forEach((parameter, i) => {
    const average = kept(`average ${i}`, SIZES[i]!)
    plan.run('movingAverage', [average, parameter], [average], { decay: 0.75 })
  })
  return { plan, tensors }
}

/** What is in the store after some runs, by name. */
async function after(
  device: Device,
  { plan, tensors }: Updates,
  inputs: Record<string, Float32Array>,
  runs = 1,
) {
  const store = device.createStore()
  for (const [name, size] of tensors) store.define(name, 'f32', [size], noise(size, name.length + size))
  const program = await device.compile(plan, store)
  simulator.set('launches', 0)
  for (let run = 0; run < runs; run++) await program.run(['update'], inputs, [])
  const launches = simulator.get('launches')
  const contents = new Map<string, Float32Array>()
  for (const [name] of tensors) contents.set(name, floats(await store.read(name)))
  program.dispose()
  store.dispose()
  return { contents, launches }
}

const steps = (norm: number) => ({
  scalars: Float32Array.of(0.25, 0.5, 1, 1),
  norm: Float32Array.of(norm),
  ...Object.fromEntries(SIZES.map((size, i) => [`gradient ${i}`, noise(size, 1000 + i)])),
})

describe('130 parameters', () => {
  test.each([1, 3])('%d steps', async (runs) => {
    const expected = await after(cpu, training(), steps(1), runs)
    const got = await after(cuda, training(), steps(1), runs)
    // The second step is recorded and replayed, as are all behind it.
    expect(got.launches).toBe(4 * Math.min(runs, 2))
    for (const [name, values] of expected.contents) {
      expect(relativeL2(noise(values.length, name.length + values.length), values)).toBeGreaterThan(1e-3)
      expect([name, relativeL2(got.contents.get(name)!, values) < 1e-6]).toEqual([name, true])
    }
  })

  test.each([Infinity, NaN])('a norm of %d changes no parameter', async (norm) => {
    const { plan, tensors } = training()
    const { contents } = await after(cuda, { plan, tensors }, steps(norm))
    for (const [name, size] of tensors)
      if (!name.startsWith('average')) expect(contents.get(name)).toEqual(noise(size, name.length + size))
  })
})

type Update = readonly [
  op: 'accumulate' | 'movingAverage' | 'clear',
  written: number,
  read?: number,
  decay?: number,
]

describe('updates that need each other are launched one after the other', () => {
  const names = ['a', 'b', 'c']
  const tensors = names.map((name) => [name, 10] as const)

  test.each<readonly [string, readonly Update[], number]>([
    [
      'read what was written',
      [
        ['accumulate', 0, 1],
        ['accumulate', 2, 0],
      ],
      2,
    ],
    [
      'write what was read',
      [
        ['accumulate', 0, 1],
        ['accumulate', 1, 2],
      ],
      2,
    ],
    [
      'write twice',
      [
        ['accumulate', 0, 2],
        ['accumulate', 0, 1],
      ],
      2,
    ],
    [
      'read twice',
      [
        ['accumulate', 0, 2],
        ['accumulate', 1, 2],
      ],
      1,
    ],
    [
      'of two kinds',
      [
        ['accumulate', 0, 2],
        ['movingAverage', 1, 2, 0.5],
      ],
      2,
    ],
    [
      'with two constants',
      [
        ['movingAverage', 0, 2, 0.5],
        ['movingAverage', 1, 2, 0.25],
      ],
      2,
    ],
    [
      'cleared at once',
      [
        ['clear', 0],
        ['clear', 1],
      ],
      1,
    ],
  ])('%s', async (_, updates, launches) => {
    const plan = new PlanBuilder()
    const buffers = names.map((name) => plan.parameter(name, [10], true))
    plan.phase('update')
    for (const [op, written, read, decay] of updates) {
      const inputs = [written, ...(read === undefined ? [] : [read])].map((i) => buffers[i]!)
      plan.run(op, inputs, [buffers[written]!], decay === undefined ? {} : { decay })
    }
    const expected = await after(cpu, { plan, tensors }, {})
    const got = await after(cuda, { plan, tensors }, {})
    expect(got.launches).toBe(launches)
    for (const [name, values] of expected.contents)
      expect([name, got.contents.get(name)]).toEqual([name, values])
  })
})
