import { describe, expect, test } from 'vitest'
import { createModel, modelNames } from '../../models/index.js'
import { fineTuningRecipe, RECIPE_NAMES, recipeFor, recipeNamed } from '../../models/recipes.js'
import { checkTransforms } from '../../ts/data/augment/transform.js'
import { MNIST, TORCHVISION } from '../../ts/data/preprocessing.js'
import { stepOptionsOf } from '../../ts/train/recipe.js'
import { rateAt } from '../../ts/train/schedule.js'

describe('a recipe', () => {
  test.each(RECIPE_NAMES)('%s is plain data, with a source, that a step can take', (name) => {
    const recipe = recipeNamed(name)
    expect(recipe.name).toBe(name)
    expect(recipe.source).toMatch(/\d{4}/)
    expect(JSON.parse(JSON.stringify(recipe))).toEqual(recipe)
    const { optimizer } = stepOptionsOf(recipe)
    expect(optimizer.lr).toBe(recipe.optimizer.lr)
    const { epochs, schedule } = recipe
    const rates = Array.from({ length: 10 * epochs }, (_, step) =>
      rateAt(schedule, optimizer.lr, { epoch: Math.floor(step / 10), step, stepsPerEpoch: 10, epochs }),
    )
    expect(rates.every((rate) => rate > 0 && rate <= optimizer.lr)).toBe(true)
  })

  test.each(modelNames)('of %s suits what it sees', (name) => {
    const { transforms } = recipeFor(name)
    const { preprocessing } = createModel(name).info
    checkTransforms(transforms, preprocessing)
  })

  test('for fine-tuning suits colours and grey', () => {
    for (const preprocessing of [TORCHVISION, MNIST])
      checkTransforms(fineTuningRecipe().transforms, preprocessing)
  })

  test('is found by name, or the name is corrected', () => {
    expect(recipeFor('resnet50').name).toBe('resnet')
    expect(recipeFor('resnet20', 'resnet20_fast').name).toBe('resnet20_fast')
    expect(fineTuningRecipe('resnet').name).toBe('resnet')
    expect(() => recipeFor('resnet50', 'resnet_cifer')).toThrow(
      "no recipe 'resnet_cifer'; did you mean resnet_cifar",
    )
    expect(() => recipeNamed('toString')).toThrow("no recipe 'toString'")
  })
})

test('what the papers say', () => {
  expect(recipeFor('inception_v3')).toMatchObject({
    optimizer: { kind: 'rmsProp', convention: 'tensorflow', lr: 0.045, decay: 0.9, eps: 1 },
    schedule: { kind: 'exponential', factor: 0.94, every: 2 },
    loss: { labelSmoothing: 0.1, auxiliaryWeight: 0.4 },
    clipNorm: 2,
  })
  expect(recipeFor('alexnet')).toMatchObject({
    batch: 128,
    optimizer: { lr: 0.01, momentum: 0.9, weightDecay: 5e-4 },
  })
  expect(recipeFor('resnet152')).toMatchObject({
    batch: 256,
    optimizer: { lr: 0.1, momentum: 0.9, weightDecay: 1e-4 },
  })
  expect(recipeFor('densenet_bc')).toMatchObject({ epochs: 300, batch: 64, optimizer: { nesterov: true } })
})
