import { afterAll, beforeAll, expect, test } from 'vitest'
import { createModel, type ModelName } from '../../models/index.js'
import type { Model } from '../../ts/model/model.js'
import type { Device } from '../../ts/runtime/device.js'
import { tensor, type Tensor } from '../../ts/tensor.js'
import { fixtureImage, levels, setFixtureWeights } from '../support/fixture-weights.js'
import { openTestDevice } from '../support/device.js'

/** Rounding differs where a norm is computed by other kernels the second time, and grows over the layers. */
const BOUND = 5e-3

let device: Device
beforeAll(async () => {
  device = await openTestDevice({ deterministic: true })
})
afterAll(() => device.close())

async function trained(
  name: ModelName,
  shape: readonly [number, number, number, number],
  checkpointing: boolean,
) {
  const model = createModel(name, { classes: 10 }) as Model<'logits', string>
  await setFixtureWeights(model)
  const size = [shape[2], shape[3]] as const
  const program = await model.compile(device, { batch: shape[0], size, training: true, checkpointing })
  const { output, backward } = await program.forward(fixtureImage('checkpointing', shape))
  const seeds: Record<string, Tensor> = {}
  for (const [head, { shape: seed }] of Object.entries(output))
    seeds[head] = tensor(Float32Array.from(levels(`seed/${head}`, seed[0]! * seed[1]!)), seed)
  const { parameters, input } = await backward(seeds)
  const statistics = new Map<string, Float32Array>()
  for (const { name: statistic, role } of model.parameters)
    if (role === 'runningMean' || role === 'runningVariance')
      statistics.set(statistic, await model.weights.get(statistic))
  const bytes = program.arenaBytes
  program.dispose()
  return { gradients: { ...parameters, input: input! } as Record<string, Tensor>, statistics, bytes }
}

test.each([
  ['resnet20', [32, 3, 32, 32]],
  ['densenet_bc', [8, 3, 32, 32]],
  // With LRN, dropout, max pooling and heads.
  ['googlenet_original', [4, 3, 224, 224]],
] as const)('%s: the same gradients and statistics from less memory', async (name, shape) => {
  const all = await trained(name, shape, false)
  const few = await trained(name, shape, true)
  expect(Object.keys(few.gradients)).toEqual(Object.keys(all.gradients))
  for (const [parameter, { data }] of Object.entries(all.gradients)) {
    let difference = 0
    let norm = 0
    few.gradients[parameter]!.data.forEach((value, i) => {
      difference += (value - data[i]!) ** 2
      norm += data[i]! ** 2
    })
    // What batch norm leaves of a bias' gradient is rounding.
    if (norm > 1e-12) expect(Math.sqrt(difference / norm), parameter).toBeLessThan(BOUND)
  }
  for (const [statistic, values] of all.statistics) expect(few.statistics.get(statistic)).toEqual(values)
  expect(few.bytes).toBeLessThan(all.bytes)
  console.log(
    `${name}: ${(all.bytes / 2 ** 20).toFixed(1)} MiB, with checkpointing ${(few.bytes / 2 ** 20).toFixed(1)} MiB`,
  )
})
