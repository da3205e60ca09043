import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createModel } from '../../models/index.js'
import { recipeFor } from '../../models/recipes.js'
import { openDataset } from '../../ts/data/datasets/open.js'
import { evaluate } from '../../ts/evaluate/index.js'
import { Device } from '../../ts/runtime/device.js'
import { train } from '../../ts/train/trainer.js'
import { temporaryFolders } from '../training/helpers.js'

const folder = temporaryFolders()

test.each([
  ['lenet5', 0.989],
  ['lenet5_modern', 0.992],
] as const)('%s learns MNIST to %d', async (name, wanted) => {
  using device = await Device.open('cpu', { threads: 2 })
  const [data, digits] = await Promise.all(
    (['train', 'test'] as const).map((split) => openDataset('mnist', { split })),
  )
  const out = folder()
  // Without a validation: the test images see nothing but the last weights, once.
  const { seconds, epochs } = await train({
    model: createModel(name),
    device,
    train: data!,
    recipe: recipeFor(name),
    out,
  })
  const model = createModel(name)
  await model.load(join(out, 'last.safetensors'))
  const { correct, images, top1 } = await evaluate(model, digits!, { device, batch: 100 })
  console.log(`${name}: ${correct} of ${images} after ${epochs.length} epochs in ${seconds.toFixed(0)} s`)
  expect(images).toBe(10_000)
  expect(top1).toBeGreaterThanOrEqual(wanted)
})
