import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importTfjs, type ImportedModel } from '../../ts/import/keras/index.js'
import { Device } from '../../ts/runtime/device.js'
import type { Tensor } from '../../ts/tensor.js'
import { kerasExpectation, kerasFolder, kerasImages } from '../support/keras.js'
import { relativeError } from '../support/reference.js'

let device: Device

beforeAll(async () => {
  device = await Device.open('cpu', { tuning: 'off' })
})
afterAll(() => device.close())

async function logitsOf(model: ImportedModel, images: Tensor): Promise<Tensor> {
  using program = await model.compile(device, { batch: images.shape[0]! })
  return (await program.predict(images)).logits
}

describe.each([
  { name: 'every_layer', made: 'Keras 3, functional', activation: 'softmax' },
  { name: 'branches', made: 'Keras 3, functional, with shared layers and models', activation: 'softmax' },
  { name: 'stacked', made: 'Keras 3, sequential', activation: 'sigmoid' },
  { name: 'tfjs_branches', made: 'TensorFlow.js, Keras 2, functional', activation: 'softmax' },
  { name: 'tfjs_sequential', made: 'TensorFlow.js, Keras 2, sequential', activation: 'softmax' },
] as const)('$name ($made)', ({ name, activation }) => {
  const { input, logits } = kerasExpectation(name)

  test('gives the logits of its makers', async () => {
    const model = await importTfjs(kerasFolder(name))
    const got = await logitsOf(model, kerasImages(input))
    expect(got.shape).toEqual([input[0], logits[0]!.length])
    expect(relativeError(got.data, logits)).toBeLessThan(2e-6)
  })

  test('says what it is', async () => {
    const { info } = await importTfjs(kerasFolder(name))
    const [, size, , channels = 1] = input
    expect(info).toMatchObject({ name, classes: logits[0]!.length, activation, input: { size, channels } })
  })
})
