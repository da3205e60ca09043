import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lenet5 } from '../../models/lenet.js'
import type { Value } from '../../ts/graph/graph.js'
import { Model } from '../../ts/model/model.js'
import type { TrainingStepOptions } from '../../ts/model/step.js'
import { affine, initializers, Network, Parameter, radialBasis, scaledTanh } from '../../ts/nn/index.js'
import type { Device } from '../../ts/runtime/device.js'
import { Tensor } from '../../ts/tensor.js'
import { crossEntropy, meanSquaredError, radialBasisLoss } from '../../ts/train/loss.js'
import { adam, adamW, rmsProp, sgd } from '../../ts/train/optimizer.js'
import { fixtureImage, fixtureValue, levels, type FixtureRole } from '../support/fixture-weights.js'
import { relativeL2 } from '../support/gradients.js'
import { openTestDevice } from '../support/device.js'

type Parameters = readonly (readonly [string, readonly number[], FixtureRole])[]

interface Run {
  readonly losses: readonly number[]
  readonly norms: readonly number[]
  /** Some of them, after the last step. */
  readonly weights: Readonly<Record<string, number[]>>
  readonly averages?: Readonly<Record<string, number[]>>
}

/** What PyTorch computes in double precision; see test/data/training/optimizers.py. */
const expected = JSON.parse(
  readFileSync(new URL('../data/training/optimizers.json', import.meta.url), 'utf8'),
) as {
  readonly batch: number
  readonly parameters: Parameters
  readonly radialBasisParameters: Parameters
  readonly labels: readonly number[][]
  readonly runs: Readonly<Record<string, Run>>
}
const { batch, labels } = expected
const CLASSES = 10
const images = [0, 1].map((seed) => fixtureImage('digits', [batch, 1, 32, 32], seed, 8))
const classes = labels.map((row) => Int32Array.from(row))
const targets = [0, 1].map(
  (seed) => new Tensor([batch, CLASSES], Float32Array.from(levels('target', batch * CLASSES, seed)), 'f32'),
)
const shares = [0, 1].map((seed) => softLabels(labels[seed]!, levels('share', batch, seed)))

/** The share of the right class is between 0.6 and 1, the next one has the rest. */
function softLabels(right: readonly number[], unit: Float64Array): Tensor {
  const data = new Float32Array(batch * CLASSES)
  right.forEach((label, i) => {
    const share = Math.fround(0.8 + 0.2 * unit[i]!)
    data[i * CLASSES + label] = share
    data[i * CLASSES + ((label + 1) % CLASSES)] = 1 - share
  })
  return new Tensor([batch, CLASSES], data, 'f32')
}

/** LeNet-5 with 84 outputs that are held against ten centres. */
class RadialBasisLeNet extends Network {
  readonly base = lenet5({ classes: 84 }).network
  readonly centres = new Parameter([CLASSES, 84], 'linear', initializers.lecun)

  override forward(x: Value) {
    const { logits } = this.base.forward(x)
    return { logits: radialBasis(affine(scaledTanh(logits), 0.2), x.graph.parameter(this.centres)) }
  }
}

async function withFixtures(model: Model, parameters: Parameters): Promise<Model> {
  for (const [name, shape, role] of parameters) await model.weights.set(name, fixtureValue(name, shape, role))
  return model
}

const paper = () => withFixtures(lenet5(), expected.parameters)
const paperWithRadialBasis = () => {
  const model = new Model(new RadialBasisLeNet(), { ...lenet5().info, classes: CLASSES })
  return withFixtures(model, expected.radialBasisParameters)
}

const momentum = sgd({ lr: 0.02, momentum: 0.9 })

const RUNS: Readonly<Record<string, Partial<TrainingStepOptions>>> = {
  sgd: { optimizer: sgd({ lr: 0.05 }) },
  momentum: {},
  nesterov: { optimizer: sgd({ lr: 0.02, momentum: 0.9, nesterov: true }) },
  weightDecay: { optimizer: sgd({ lr: 0.02, momentum: 0.9, weightDecay: 0.05 }) },
  nesterovDecay: { optimizer: sgd({ lr: 0.02, momentum: 0.8, nesterov: true, weightDecay: 0.05 }) },
  rmsProp: { optimizer: rmsProp({ lr: 2e-4, decay: 0.9, eps: 1e-6 }) },
  rmsPropMomentum: {
    optimizer: rmsProp({ lr: 1e-4, decay: 0.95, eps: 1e-6, momentum: 0.9, weightDecay: 0.05 }),
  },
  rmsPropTensorFlow: { optimizer: rmsProp({ lr: 0.02, eps: 1e-3, convention: 'tensorflow' }) },
  rmsPropTensorFlowMomentum: {
    optimizer: rmsProp({ lr: 0.005, momentum: 0.9, eps: 0.1, convention: 'tensorflow' }),
  },
  adam: { optimizer: adam({ lr: 5e-4, eps: 1e-6 }) },
  adamDecay: { optimizer: adam({ lr: 5e-4, beta1: 0.8, beta2: 0.99, eps: 1e-6, weightDecay: 0.05 }) },
  adamW: { optimizer: adamW({ lr: 5e-4, eps: 1e-6, weightDecay: 0.5 }) },
  clipped: { clipNorm: 1 },
  accumulated: { accumulate: 2 },
  accumulatedClipped: { accumulate: 2, clipNorm: 1 },
  averaged: { average: 0.9 },
  groups: {
    optimizer: sgd({ lr: 0.02, momentum: 0.9, weightDecay: 0.05 }),
    groups: [
      { match: 'c1', lrScale: 0.1 },
      { match: 'output.weight', lrScale: 2 },
      { match: /bias$/, weightDecay: 0 },
    ],
  },
  weightsOnly: { optimizer: sgd({ lr: 0.02, momentum: 0.9, weightDecay: 0.1 }), decay: 'weights' },
  frozen: { freeze: ['c1', /^s2/, 'f6.bias'] },
  labelSmoothing: { loss: crossEntropy({ labelSmoothing: 0.1 }) },
  softLabels: { loss: crossEntropy({ soft: true }) },
  meanSquaredError: { loss: meanSquaredError(), optimizer: sgd({ lr: 0.05, momentum: 0.9 }) },
  radialBasis: { loss: radialBasisLoss() },
}

function labelsOf(name: string, turn: number): Int32Array | Tensor {
  if (name === 'softLabels') return shares[turn]!
  return name === 'meanSquaredError' ? targets[turn]! : classes[turn]!
}

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

test('every run of PyTorch is followed', () => {
  expect(Object.keys(RUNS)).toEqual(Object.keys(expected.runs))
})

describe('LeNet-5 of 1998 follows PyTorch over twenty steps', () => {
  test.each(Object.keys(RUNS))('%s', async (name) => {
    const run = expected.runs[name]!
    const model = await (name === 'radialBasis' ? paperWithRadialBasis() : paper())
    const options: TrainingStepOptions = { loss: crossEntropy(), optimizer: momentum, ...RUNS[name] }
    using step = await model.compile(device, { batch, training: options })
    const norms: number[] = []
    for (const [i, loss] of run.losses.entries()) {
      const got = await step.run(images[i % 2]!, labelsOf(name, i % 2))
      expect(Math.abs(got.loss - loss), `step ${i}`).toBeLessThan(1e-4 * Math.max(1, loss))
      expect(got.updated).toBe(got.gradientNorm !== null)
      if (got.gradientNorm !== null) norms.push(got.gradientNorm)
    }
    expect(relativeL2(norms, run.norms)).toBeLessThan(1e-4)
    for (const [parameter, values] of Object.entries(run.weights))
      expect(relativeL2(await model.weights.get(parameter), values), parameter).toBeLessThan(1e-4)
    const averages = await step.averages()
    for (const [parameter, values] of Object.entries(run.averages ?? {}))
      expect(relativeL2(averages.get(parameter)!, values), parameter).toBeLessThan(1e-4)
    expect(averages.size).toBe(run.averages ? expected.parameters.length : 0)
  })
})

describe('a step', () => {
  const training = { loss: crossEntropy(), optimizer: momentum }

  test('does not touch what is frozen, nor computes its gradient', async () => {
    const model = await paper()
    const freeze = ['c1', 's2', 'c3.weight']
    using step = await model.compile(device, { batch, training: { ...training, freeze } })
    for (let i = 0; i < 3; i++) await step.run(images[0]!, classes[0]!)
    for (const [name, shape, role] of expected.parameters) {
      const frozen = freeze.some((pattern) => name.startsWith(pattern))
      const same = Buffer.from((await model.weights.get(name)).buffer).equals(
        Buffer.from(fixtureValue(name, shape, role).buffer),
      )
      expect(same, name).toBe(frozen)
    }
    const paths = step.describe().filter(({ phase }) => phase === 'backward')
    // c3's bias still learns; nothing before it does.
    expect(new Set(paths.map(({ path }) => path).filter((path) => /^(c1|s2)/.test(path)))).toEqual(new Set())
    expect(paths.filter(({ path, op }) => path === 'c3' && op === 'convolutionBackwardData')).toEqual([])
    expect(step.describe().filter(({ op }) => op === 'sgd')).toHaveLength(expected.parameters.length - 5)
  })

  test.each([1, 2])(
    'with a gradient that is not finite changes nothing (accumulate: %d)',
    async (accumulate) => {
      const model = await paper()
      const optimizer = adam({ lr: 5e-4, eps: 1e-6, weightDecay: 0.1 })
      using step = await model.compile(device, {
        batch,
        training: { ...training, optimizer, accumulate, average: 0.5 },
      })
      const spoilt = new Tensor(images[0]!.shape, images[0]!.data.slice().fill(Number.NaN, 0, 4), 'f32')
      const before = await step.state()
      for (let i = 0; i < accumulate; i++) {
        const got = await step.run(i === 0 ? spoilt : images[0]!, classes[0]!)
        expect(got.updated).toBe(false)
      }
      for (const [name, shape, role] of expected.parameters)
        expect(await model.weights.get(name)).toEqual(fixtureValue(name, shape, role))
      expect(await step.state()).toEqual(before)
      // And the next ones go on as if it had not been.
      const run = expected.runs[accumulate === 1 ? 'adam' : 'accumulated']!
      const { loss } = await step.run(images[0]!, classes[0]!)
      expect(loss).toBeCloseTo(run.losses[0]!, 4)
      expect(step.updates).toBe(2 - accumulate)
    },
  )

  test('takes the rate that it is given', async () => {
    const model = await paper()
    using step = await model.compile(device, { batch, training: { ...training, optimizer: sgd({ lr: 1 }) } })
    step.lr = 0
    await step.run(images[0]!, classes[0]!)
    const [name, shape, role] = expected.parameters[0]!
    expect(await model.weights.get(name)).toEqual(fixtureValue(name, shape, role))
  })
})
