import { expect, test, vi } from 'vitest'
import { adam, crossEntropy, sgd } from '../../ts/index.js'
import { TrainingStep, type Optimizer, type StepResult } from '../../ts/model/step.js'
import { tensor } from '../../ts/tensor.js'
import { train } from '../../ts/train/trainer.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
import { PLAIN, quarters, tiny, useDevice } from './helpers.js'

// Steps that are queued before the last one's results are there.

const used = useDevice()
const STEPS = 5
const images = Array.from({ length: STEPS }, (_, i) => fixtureImage(`queued ${i}`, [4, 1, 8, 8]))
const labels = Int32Array.of(0, 1, 2, 3)

async function after(optimizer: Optimizer, accumulate: number, queued: boolean) {
  const model = tiny()
  await setFixtureWeights(model)
  using step = await model.compile(used.device, {
    batch: 4,
    training: { loss: crossEntropy(), optimizer, accumulate, seed: 7 },
  })
  const results: StepResult[] = []
  const begun = images.map((image, i) => async () => {
    const given = tensor(Float32Array.from(image.data), [4, 1, 8, 8])
    step.lr = 0.01 * (i + 1)
    const result = step.run(given, labels)
    given.data.fill(NaN)
    results[i] = await result
  })
  if (queued) await Promise.all(begun.map((one) => one()))
  else for (const one of begun) await one()
  const { updates, batches } = step
  const losses = results.map(({ loss, gradientNorm, updated }) => [loss, gradientNorm, updated])
  return { updates, batches, losses, weights: await model.weights.get('classifier.1.weight') }
}

test.each([
  ['momentum', sgd({ lr: 0.1, momentum: 0.9 }), 1],
  ['momentum, accumulated', sgd({ lr: 0.1, momentum: 0.9 }), 2],
  ['corrections that count updates', adam({ lr: 0.01 }), 1],
  ['corrections, accumulated', adam({ lr: 0.01 }), 2],
] as const)('give the same: %s', async (_, optimizer, accumulate) => {
  const expected = await after(optimizer, accumulate, false)
  expect(expected).toMatchObject({ updates: Math.floor(STEPS / accumulate), batches: STEPS })
  expect(await after(optimizer, accumulate, true)).toEqual(expected)
})

test('a training begins a step before it takes in the last one', async () => {
  const happened: string[] = []
  const begun: (() => void)[] = []
  // Called with its own `this` below.
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { run } = TrainingStep.prototype
  let count = 0
  const spy = vi.spyOn(TrainingStep.prototype, 'run').mockImplementation(async function (
    this: TrainingStep,
    ...given
  ) {
    const number = ++count
    happened.push(`begin ${number}`)
    begun.splice(0).forEach((tell) => tell())
    // Held until the next begins; nothing follows the last.
    const next = number === 4 ? Promise.resolve() : new Promise<void>((tell) => begun.push(tell))
    const result = await run.apply(this, given)
    await Promise.race([next, new Promise((late) => setTimeout(late, 2000))])
    happened.push(`end ${number}`)
    return result
  })
  try {
    const recipe = { ...PLAIN, epochs: 1 }
    await train({ model: tiny(), device: used.device, train: quarters(32), workers: 0, recipe })
  } finally {
    spy.mockRestore()
  }
  expect(happened.slice(0, 3)).toEqual(['begin 1', 'begin 2', 'end 1'])
  expect(happened.indexOf('begin 4')).toBeLessThan(happened.indexOf('end 3'))
})
