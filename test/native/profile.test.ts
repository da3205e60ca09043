import { expect, it } from 'vitest'
import { addon, floats, noise, PlanBuilder } from './addon.js'

const SHAPE = [1, 16, 8, 8]
const x = noise(1024, 1)

/** Constants from a parameter, a forward phase, and a backward one that needs its results. */
function plan(): PlanBuilder {
  const plan = new PlanBuilder().phase('constants')
  const constant = plan.elementwise(plan.parameter('p', SHAPE), 'linear', 2, 0)
  plan.phase('forward')
  const value = plan.add(plan.input('x', SHAPE), constant)
  plan.phase('backward')
  return plan.output('y', plan.elementwise(value, 'linear', 3, 0))
}

async function program(device: 'cpu' | 'null') {
  const opened = addon.openDevice(device, { threads: 1 })
  const store = opened.createStore()
  store.define('p', 'f32', SHAPE, new Float32Array(1024).fill(1))
  return opened.compile(plan(), store)
}

it.each(['cpu', 'null'] as const)(
  'takes the time of the steps that run, and of no others (%s)',
  async (device) => {
    const profiled = await program(device)
    const phases = profiled.describe().map(({ phase }) => phase)
    const timed = ({ steps }: { steps: Float64Array }) => phases.filter((_, i) => steps[i]! >= 0)
    expect(phases).toEqual(['constants', 'forward', 'backward'])

    const first = await profiled.profile(['forward'], { x }, 'as they are')
    expect(first.steps).toHaveLength(phases.length)
    expect(timed(first)).toEqual(['constants', 'forward'])
    // The constants are there by now.
    expect(timed(await profiled.profile(['backward'], {}, 'as they are'))).toEqual(['backward'])
    const whole = await profiled.profile(['forward', 'backward'], { x }, 'cold')
    expect(timed(whole)).toEqual(['forward', 'backward'])
    expect(whole.total).toBeGreaterThanOrEqual(whole.steps[1]! + whole.steps[2]!)
  },
)

it('computes what a run computes', async () => {
  const profiled = await program('cpu')
  await profiled.profile(['forward'], { x }, 'cold')
  const y = floats((await profiled.run(['backward'], {}, ['y'])).y)
  expect(y).toEqual(x.map((value) => Math.fround(3 * Math.fround(value + 2))))
})

it('names the instruction of each step', async () => {
  const schedule = (await program('cpu')).describe()
  expect(schedule.map(({ op, instruction }) => [op, instruction])).toEqual([
    ['elementwise', 0],
    ['add', 1],
    ['elementwise', 2],
  ])
})

it('refuses what a run refuses', async () => {
  const profiled = await program('cpu')
  const invalid = { code: 'INVALID_ARGUMENT' }
  await expect(profiled.profile(['forward'], {}, 'cold')).rejects.toMatchObject({ ...invalid, subject: 'x' })
  await expect(profiled.profile(['forward'], { x }, 'hot')).rejects.toMatchObject({ ...invalid, got: 'hot' })
  await expect(profiled.profile(['backward'], {}, 'warm')).rejects.toMatchObject({ code: 'BUSY' })
  profiled.dispose()
  await expect(profiled.profile(['forward'], { x }, 'cold')).rejects.toMatchObject({ code: 'DISPOSED' })
})
