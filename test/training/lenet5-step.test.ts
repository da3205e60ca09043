import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lenet5 } from '../../models/lenet.js'
import { Device } from '../../ts/runtime/device.js'
import { crossEntropy } from '../../ts/train/loss.js'
import { sgd } from '../../ts/train/optimizer.js'
import { fixtureImage, fixtureValue, type FixtureRole } from '../support/fixture-weights.js'
import { relativeError } from '../support/reference.js'
import { openTestDevice } from '../support/device.js'

interface Expected {
  readonly batch: number
  readonly lr: number
  readonly momentum: number
  readonly weightDecay: number
  readonly parameters: readonly (readonly [string, readonly number[], FixtureRole])[]
  readonly labels: readonly number[]
  readonly losses: readonly number[]
  readonly logits: { readonly before: number[][]; readonly after: number[][] }
}

const expected = JSON.parse(
  readFileSync(new URL('../data/training/lenet5_steps.json', import.meta.url), 'utf8'),
) as Expected
const { batch, lr, momentum, weightDecay } = expected
const images = fixtureImage('digits', [batch, 1, 32, 32], 0, 8)

async function fixtureLeNet() {
  const model = lenet5()
  for (const [name, shape, role] of expected.parameters)
    await model.weights.set(name, fixtureValue(name, shape, role))
  return model
}

const options = {
  batch,
  training: { loss: crossEntropy(), optimizer: sgd({ lr, momentum, weightDecay }) },
}

describe('LeNet-5 of 1998', () => {
  let device: Device
  beforeAll(async () => {
    device = await openTestDevice()
  })
  afterAll(() => device.close())

  test('follows PyTorch over five steps, and a second program sees the same weights', async () => {
    const model = await fixtureLeNet()
    const step = await model.compile(device, options)
    const evaluation = await model.compile(device, { batch })

    const before = await evaluation.predict(images)
    expect(relativeError(before.logits.data, expected.logits.before)).toBeLessThan(1e-5)
    for (const loss of expected.losses) {
      const got = await step.run(images, Int32Array.from(expected.labels))
      expect(Math.abs(got.loss - loss)).toBeLessThan(1e-5 * Math.max(1, loss))
    }
    const after = await evaluation.predict(images)
    expect(relativeError(after.logits.data, expected.logits.after)).toBeLessThan(1e-4)
    step.dispose()
    evaluation.dispose()
  })

  test('gives the same whichever of the two programs is compiled first', async () => {
    const model = await fixtureLeNet()
    const evaluation = await model.compile(device, { batch })
    const step = await model.compile(device, options)
    for (let i = 0; i < expected.losses.length; i++) await step.run(images, Int32Array.from(expected.labels))
    const { logits } = await evaluation.predict(images)
    expect(relativeError(logits.data, expected.logits.after)).toBeLessThan(1e-4)
    step.dispose()
    evaluation.dispose()
  })

  test('names a label that is no class', async () => {
    const model = await fixtureLeNet()
    const step = await model.compile(device, options)
    const labels = Int32Array.from(expected.labels).fill(10, 3, 4)
    await expect(step.run(images, labels)).rejects.toThrow('label 10 of image 3 is no class of 0 to 9')
    step.dispose()
  })

  test('is prepared by a backend that shares nothing with oneDNN', async () => {
    const nothing = Device.openNull()
    const model = await fixtureLeNet()
    const step = await model.compile(nothing, options)
    const ops = step.describe().map(({ op }) => op)
    expect(ops).toContain('convolutionBackwardWeights')
    expect(ops.filter((op) => op === 'sgd')).toHaveLength(expected.parameters.length)
    await step.run(images, Int32Array.from(expected.labels))
    step.dispose()
    nothing.close()
  })
})
