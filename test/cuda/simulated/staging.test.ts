import { afterAll, beforeAll, expect, test } from 'vitest'
import { sgd, crossEntropy } from '../../../ts/index.js'
import { Device } from '../../../ts/runtime/device.js'
import { tensor } from '../../../ts/tensor.js'
import { buildSimulator } from '../../cudasim/build.js'
import { SimulatorState } from '../../cudasim/state.js'
import { fixtureImage, setFixtureWeights } from '../../support/fixture-weights.js'
import { tiny } from '../../training/helpers.js'

// Inputs of the next run are on their way while one is at work. Where the simulator does nothing before it must, and
// then in any order that the streams allow, a run that does not wait for its inputs reads what is not there yet.

const state = SimulatorState.create()
process.env.CUDASIM_STATE = state.path
process.env.CUDASIM_QUIET = '1'
const RUNS = 6
const shape = [2, 1, 8, 8] as const
const images = Array.from({ length: RUNS }, (_, i) => fixtureImage(`staging ${i}`, [...shape]))
const labels = Int32Array.of(3, 1)

let device: Device
beforeAll(async () => {
  device = await Device.open('cuda', { cudaPath: buildSimulator(), deterministic: true })
}, 600_000)
afterAll(() => {
  device.close()
  state.close()
})

async function lazily<T>(seed: number, body: () => Promise<T>): Promise<T> {
  state.set('seed', seed)
  state.set('lazy', 1)
  try {
    return await body()
  } finally {
    state.set('lazy', 0)
  }
}

test.each([1, 2, 3])('predictions that nobody waited for, order %d', async (seed) => {
  const model = tiny()
  await setFixtureWeights(model)
  using net = await model.compile(device, { batch: shape[0] })
  const expected: Float32Array[] = []
  for (const image of images) expected.push((await net.predict(image)).logits.data)
  const got = await lazily(seed, () =>
    Promise.all(
      images.map((image) => {
        const given = tensor(Float32Array.from(image.data), [...shape])
        const result = net.predict(given)
        // It has been copied.
        given.data.fill(NaN)
        return result
      }),
    ),
  )
  expect(got.map(({ logits }) => logits.data)).toEqual(expected)
  expect(state.get('refused')).toBe(0)
})

test.each([1, 2, 3])('training steps that nobody waited for, order %d', async (seed) => {
  const trained = async (run: (step: (i: number) => Promise<{ loss: number }>) => Promise<number[]>) => {
    const model = tiny()
    await setFixtureWeights(model)
    using step = await model.compile(device, {
      batch: shape[0],
      training: { loss: crossEntropy(), optimizer: sgd({ lr: 0.1, momentum: 0.9 }) },
    })
    const losses = await run((i) => step.run(images[i]!, labels))
    return { losses, weights: await model.weights.get('classifier.1.weight') }
  }
  const expected = await trained(async (step) => {
    const losses: number[] = []
    for (let i = 0; i < RUNS; i++) losses.push((await step(i)).loss)
    return losses
  })
  const got = await lazily(seed, () =>
    trained(async (step) => {
      const results = await Promise.all(images.map((_, i) => step(i)))
      return results.map(({ loss }) => loss)
    }),
  )
  expect(got).toEqual(expected)
})

test('work that is taken back leaves its copies to nobody', async () => {
  const model = tiny()
  await setFixtureWeights(model)
  using net = await model.compile(device, { batch: shape[0] })
  const expected = (await net.predict(images[0]!)).logits.data
  await lazily(4, async () => {
    const abort = new AbortController()
    const runs = images.map((image) => net.predict(image, { signal: abort.signal }))
    abort.abort()
    await Promise.allSettled(runs)
    expect((await net.predict(images[0]!)).logits.data).toEqual(expected)
  })
})
