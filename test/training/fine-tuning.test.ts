import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createModel, type ModelName } from '../../models/index.js'
import { CheckpointError } from '../../ts/errors.js'
import { headOf, transfer, trunkOf } from '../../ts/train/fine-tune.js'
import { train } from '../../ts/train/trainer.js'
import { failure, PLAIN, quarters, temporaryFolders, tiny, useDevice } from './helpers.js'

const folder = temporaryFolders()
const used = useDevice()

describe('the head of a network', () => {
  test.each<[ModelName, readonly string[]]>([
    ['lenet5', ['output']],
    ['vgg11', ['classifier.6']],
    ['resnet18', ['fc']],
    ['resnet20', ['linear']],
    ['densenet121', ['classifier']],
    ['googlenet', ['aux1.fc2', 'aux2.fc2', 'fc']],
    ['inception_v3', ['AuxLogits.fc', 'fc']],
  ])('of %s is %s', (name, layers) => {
    const model = createModel(name)
    const head = layers.flatMap((layer) => [`${layer}.weight`, `${layer}.bias`])
    expect(headOf(model).sort()).toEqual(head.sort())
    const trainable = model.parameters.filter((parameter) => parameter.trainable).length
    expect(trunkOf(model)).toHaveLength(trainable - head.length)
  })
})

describe('weights for other classes', () => {
  const trained = async () => {
    const model = tiny()
    await train({ model, device: used.device, train: quarters(80), recipe: PLAIN, epochs: 3, workers: 0 })
    const path = `${folder()}.safetensors`
    await model.save(path)
    return { model, path }
  }

  test('are taken over but for the head, which is told', async () => {
    const { model, path } = await trained()
    const other = tiny({ classes: 3 })
    const own = await other.weights.get('classifier.1.weight')
    const { loaded, replaced } = await transfer(other, path)
    expect(replaced).toEqual([
      { name: 'classifier.1.weight', expected: [3, 128], got: [4, 128] },
      { name: 'classifier.1.bias', expected: [3], got: [4] },
    ])
    expect(loaded).toContain('features.1.running_mean')
    expect(await other.weights.get('features.0.weight')).toEqual(await model.weights.get('features.0.weight'))
    expect(await other.weights.get('classifier.1.weight')).toEqual(own)
  })

  test('are taken over whole where all fits', async () => {
    const { model, path } = await trained()
    const other = tiny()
    expect((await transfer(other, path)).replaced).toEqual([])
    const name = 'classifier.1.weight'
    expect(await other.weights.get(name)).toEqual(await model.weights.get(name))
  })

  test('of another trunk are refused, and change nothing', async () => {
    const { path } = await trained()
    const other = tiny({ channels: 4 })
    const before = await other.weights.get('features.0.weight')
    const error = await failure(transfer(other, path))
    expect(error).toBeInstanceOf(CheckpointError)
    expect((error as CheckpointError).code).toBe('CHECKPOINT_MISMATCH')
    expect((error as CheckpointError).message).toContain(
      'features.0.weight has shape [8, 1, 3, 3] in place of [4, 1, 3, 3]',
    )
    expect(await other.weights.get('features.0.weight')).toEqual(before)
  })

  test('learn faster than new ones', async () => {
    const { path } = await trained()
    const model = tiny()
    await transfer(model, path)
    const all = { device: used.device, train: quarters(80, 3), validation: quarters(40, 4), workers: 0 }
    const freeze = { patterns: trunkOf(model), epochs: 1 }
    const out = folder()
    const tuned = await train({ ...all, model, recipe: PLAIN, epochs: 2, freeze, out })
    const fresh = await train({ ...all, model: tiny(), recipe: PLAIN, epochs: 1 })
    expect(tuned.epochs[0]!.train.loss).toBeLessThan(fresh.epochs[0]!.train.loss / 2)
    const again = tiny()
    await again.load(join(out, 'best.safetensors'))
  })
})
