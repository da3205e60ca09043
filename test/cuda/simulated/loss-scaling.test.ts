import { expect, test } from 'vitest'
import type { Precision } from '../../../ts/compile/precision.js'
import { LOSS_SCALE } from '../../../ts/compile/loss-scaling.js'
import { sgd } from '../../../ts/index.js'
import type { Loss, StepResult, TrainingStep } from '../../../ts/model/step.js'
import { tensor } from '../../../ts/tensor.js'
import { train } from '../../../ts/train/trainer.js'
import { fixtureImage, setFixtureWeights } from '../../support/fixture-weights.js'
import { relativeL2 } from '../../support/gradients.js'
import { PLAIN, quarters, temporaryFolders, tensorsOf, tiny, useDevice } from '../../training/helpers.js'

// Training in f16 with a loss whose scale goes up and down by itself.

const folder = temporaryFolders()
const used = useDevice()
const BATCH = 8
const images = fixtureImage('loss scaling', [BATCH, 1, 8, 8])
const labels = Int32Array.from({ length: BATCH }, (_, i) => i % 4)

interface Settings {
  readonly precision?: Precision
  /** Factor of the loss; the rate makes up for it. */
  readonly weight?: number
  readonly accumulate?: number
  readonly clipNorm?: number
  readonly average?: number
}

/** The cross-entropy times a factor. */
function weighted(weight: number): Loss {
  return {
    labels: 'classes',
    record(outputs, labels) {
      const logits = outputs.get('logits')!
      const attributes = { labelSmoothing: 0, weight }
      const results = [{ shape: [1], dtype: 'f32' }, logits] as const
      const [loss, gradient] = logits.graph.add('softmaxCrossEntropy', [logits, labels], attributes, results)
      return { loss: loss!, gradients: new Map([[logits, gradient!]]) }
    },
  }
}

async function compiled({ precision = 'f16', weight = 1, ...rest }: Settings = {}) {
  const model = tiny()
  await setFixtureWeights(model)
  const step = await model.compile(used.device, {
    batch: BATCH,
    precision,
    training: {
      loss: weighted(weight),
      optimizer: sgd({ lr: 0.05 / weight, momentum: 0.9 }),
      seed: 3,
      ...rest,
    },
  })
  const learning = model.parameters.filter(({ trainable }) => trainable).map(({ name }) => name)
  const weights = async () => {
    const all = await Promise.all(learning.map((name) => model.weights.get(name)))
    return Float32Array.from(all.flatMap((values) => [...values]))
  }
  return { step, weights }
}

async function scaleOf(step: TrainingStep): Promise<readonly number[]> {
  return [...(await step.state()).get(LOSS_SCALE)!.data]
}

async function setScale(step: TrainingStep, scale: number, finite = 0): Promise<void> {
  const state = await step.state()
  state.set(LOSS_SCALE, tensor(Float32Array.of(scale, finite), [2]))
  await step.restore(state, step)
}

async function run(step: TrainingStep, steps: number): Promise<StepResult[]> {
  const results: StepResult[] = []
  for (let i = 0; i < steps; i++) results.push(await step.run(images, labels))
  return results
}

/** All that a step keeps but the scale. */
async function momentum(step: TrainingStep) {
  return [...(await step.state())].filter(([name]) => name !== LOSS_SCALE).map(([, { data }]) => [...data])
}

test('only f16 has a scale, which starts at 65536', async () => {
  for (const precision of ['f32', 'bf16'] as const) {
    using step = (await compiled({ precision })).step
    expect([...(await step.state()).keys()]).not.toContain(LOSS_SCALE)
  }
  using step = (await compiled()).step
  expect(await scaleOf(step)).toEqual([65536, 0])
})

test('a step whose gradients overflow changes neither weights nor momentum, and halves the scale', async () => {
  const { step, weights } = await compiled({ precision: 'f16' })
  // Replayed from a recording, too.
  await setScale(step, 2 ** 10)
  expect((await run(step, 3)).map(({ updated }) => updated)).toEqual([true, true, true])
  await setScale(step, 2 ** 30, 7)
  const before = { weights: await weights(), momentum: await momentum(step), updates: step.updates }
  const [first, second] = await run(step, 2)
  expect([first!.updated, second!.updated]).toEqual([false, false])
  expect(Number.isFinite(first!.gradientNorm)).toBe(false)
  expect(Number.isFinite(first!.loss)).toBe(true)
  expect(await scaleOf(step)).toEqual([2 ** 28, 0])
  expect({ weights: await weights(), momentum: await momentum(step), updates: step.updates }).toEqual(before)
  await setScale(step, 2 ** 10)
  expect((await run(step, 1))[0]!.updated).toBe(true)
  expect(await weights()).not.toEqual(before.weights)
  step.dispose()
})

test('the scale is doubled by the 2000th update in a row', async () => {
  const { step } = await compiled()
  await setScale(step, 2 ** 8, 1998)
  await run(step, 1)
  expect(await scaleOf(step)).toEqual([2 ** 8, 1999])
  await run(step, 1)
  expect(await scaleOf(step)).toEqual([2 ** 9, 0])
  step.dispose()
})

test('small gradients teach what they do in f32, and are lost where the scale is 1', async () => {
  const weight = 2 ** -20
  const moved = async (precision: Precision, scale?: number) => {
    const { step, weights } = await compiled({ precision, weight })
    if (scale !== undefined) await setScale(step, scale)
    const before = await weights()
    const results = await run(step, 12)
    const after = await weights()
    step.dispose()
    return {
      way: after.map((value, i) => value - before[i]!),
      losses: results.map(({ loss }) => loss / weight),
    }
  }
  const expected = await moved('f32')
  expect(expected.losses.at(-1)).toBeLessThan(0.5 * expected.losses[0]!)
  const scaled = await moved('f16')
  expect(relativeL2(scaled.way, expected.way)).toBeLessThan(2e-2)
  scaled.losses.forEach((loss, i) => expect(Math.abs(loss - expected.losses[i]!)).toBeLessThan(1e-2))
  const lost = await moved('f16', 1)
  expect(relativeL2(lost.way, expected.way)).toBeGreaterThan(0.2)
})

test.each([
  ['clipped', { clipNorm: 0.01 }],
  ['accumulated', { accumulate: 2 }],
  ['averaged', { average: 0.5 }],
] as const)('gradients are %s without their scale', async (_, settings) => {
  const after = async (precision: Precision) => {
    const { step, weights } = await compiled({ precision, ...settings })
    // Far from where anything overflows.
    if (precision === 'f16') await setScale(step, 2 ** 8)
    const before = await weights()
    const results = await run(step, 6)
    const way = (await weights()).map((value, i) => value - before[i]!)
    const averages = [...(await step.averages()).values()].flatMap((values) => [...values])
    step.dispose()
    return { way, averages, norms: results.map(({ gradientNorm }) => gradientNorm) }
  }
  const [expected, got] = [await after('f32'), await after('f16')]
  expect(relativeL2(got.way, expected.way)).toBeLessThan(2e-2)
  expect(got.norms.map((norm) => norm === null)).toEqual(expected.norms.map((norm) => norm === null))
  const norms = (of: readonly (number | null)[]) => Float32Array.from(of, (norm) => norm ?? 0)
  expect(relativeL2(norms(got.norms), norms(expected.norms))).toBeLessThan(1e-2)
  expect(got.averages).toHaveLength(expected.averages.length)
  if (got.averages.length > 0)
    expect(relativeL2(Float32Array.from(got.averages), Float32Array.from(expected.averages))).toBeLessThan(
      1e-3,
    )
})

test('a training goes on with its scale, bit for bit', async () => {
  const recipe = PLAIN
  const options = { device: used.device, train: quarters(96), precision: 'f16', workers: 0, recipe } as const
  const [whole, parts] = [folder(), folder()]
  await train({ ...options, model: tiny(), out: whole, epochs: 2 })
  await train({ ...options, model: tiny(), out: parts, epochs: 1 })
  await train({ ...options, model: tiny(), out: parts, epochs: 2, resume: true })
  const state = await tensorsOf(`${whole}/state.safetensors`)
  expect(Object.keys(state)).toContain(LOSS_SCALE)
  expect(await tensorsOf(`${parts}/state.safetensors`)).toEqual(state)
  await expect(
    train({ ...options, precision: 'f32', model: tiny(), out: parts, epochs: 3, resume: true }),
  ).rejects.toThrow('precision was "f16"')
})
