import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { dependsOnLength, observe, rateAt, SCHEDULE_START, type Schedule } from '../../ts/train/schedule.js'

interface Expected {
  readonly epochs: number
  readonly stepsPerEpoch: number
  readonly lr: number
  readonly cases: readonly { readonly schedule: Schedule; readonly rates: readonly number[] }[]
  readonly plateaus: readonly {
    readonly schedule: Schedule
    readonly accuracies: readonly number[]
    readonly rates: readonly number[]
  }[]
}

// What PyTorch's schedulers give; see schedules.py beside it.
const expected = JSON.parse(
  readFileSync(new URL('../data/training/schedules.json', import.meta.url), 'utf8'),
) as Expected
const { epochs, stepsPerEpoch, lr } = expected

const momentOf = (step: number) => ({
  epoch: Math.floor(step / stepsPerEpoch),
  step,
  stepsPerEpoch,
  epochs,
})

function expectRates(got: readonly number[], rates: readonly number[]) {
  expect(got).toHaveLength(rates.length)
  for (const [i, rate] of rates.entries())
    expect(Math.abs(got[i]! - rate), `rate ${i}: ${got[i]} instead of ${rate}`).toBeLessThan(1e-12)
}

describe('follows PyTorch', () => {
  test.each(
    expected.cases.map(({ schedule, rates }) => [JSON.stringify(schedule), schedule, rates] as const),
  )('%s', (_, schedule, rates) => {
    expectRates(
      rates.map((_, step) => rateAt(schedule, lr, momentOf(step))),
      rates,
    )
  })

  test.each(expected.plateaus.map((plateau) => [JSON.stringify(plateau.schedule), plateau] as const))(
    '%s',
    (_, { schedule, accuracies, rates }) => {
      let state = SCHEDULE_START
      const got = [rateAt(schedule, lr, momentOf(0), state)]
      for (const accuracy of accuracies) {
        state = observe(schedule, state, accuracy)
        got.push(rateAt(schedule, lr, momentOf(0), state))
      }
      expectRates(got, rates)
    },
  )
})

test('a plateau lowers the rate no more often than it may', () => {
  const schedule: Schedule = { kind: 'plateau', patience: 0, reductions: 2 }
  let state = SCHEDULE_START
  for (let epoch = 0; epoch < 10; epoch++) state = observe(schedule, state, 0.5)
  expect(rateAt(schedule, 1, momentOf(0), state)).toBeCloseTo(0.01, 12)
})

test('a warm-up hands validations on to its schedule', () => {
  const schedule: Schedule = { kind: 'warmup', length: 3, then: { kind: 'plateau', patience: 0 } }
  let state = SCHEDULE_START
  for (const accuracy of [0.5, 0.5]) state = observe(schedule, state, accuracy)
  expect(rateAt(schedule, 1, momentOf(10), state)).toBeCloseTo(0.1, 12)
})

test('what a schedule remembers survives being written down', () => {
  const schedule: Schedule = { kind: 'plateau', patience: 1 }
  let state = SCHEDULE_START
  let copy = SCHEDULE_START
  for (const accuracy of [0.1, 0.1, 0.1, 0.2, 0.2, 0.1, 0.3]) {
    state = observe(schedule, state, accuracy)
    copy = observe(schedule, JSON.parse(JSON.stringify(copy)) as typeof copy, accuracy)
  }
  expect(copy).toEqual(state)
  expect(state.reductions).toBeGreaterThan(0)
})

test('only some schedules depend on the length of the training', () => {
  expect(dependsOnLength({ kind: 'step', milestones: [1] })).toBe(false)
  expect(dependsOnLength({ kind: 'oneCycle' })).toBe(true)
  expect(dependsOnLength({ kind: 'warmup', length: 1, then: { kind: 'cosine' } })).toBe(true)
})
