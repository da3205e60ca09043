import { afterAll, beforeAll, expect, it } from 'vitest'
import { createModel, type ModelName } from '../../models/index.js'
import { calibrate } from '../../ts/model/calibration.js'
import { Device } from '../../ts/runtime/device.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
import { fallbacks, int8Missing } from '../support/kernels.js'
import { relativeError } from '../support/reference.js'

let device: Device
beforeAll(async () => {
  device = await Device.open('cpu', { tuning: 'off' })
})

const rows: string[] = []
afterAll(() => {
  device.close()
  console.log(['network          rel. L2 of int8 from f32', ...rows].join('\n'))
})

const NETWORKS: readonly ModelName[] = [
  'lenet5',
  'alexnet',
  'vgg11',
  'vgg11_bn',
  'googlenet',
  'inception_v3',
  'resnet18',
  'resnet50',
  'resnet20',
  'densenet121',
]

/** Eight bits round to 1/510 of the largest; what deep networks with made-up weights add to that stays below this. */
const BOUND = 0.06

it.each(NETWORKS)('%s in int8 gives the logits of f32', async (name) => {
  const model = createModel(name)
  await setFixtureWeights(model, 0)
  const { channels, size } = model.info.input
  const shape = [1, channels, size, size]
  const image = fixtureImage('int8', shape, 0, size > 64 ? 8 : 1)
  const calibration = await calibrate(model, device, [image])
  const compile = () => model.compile(device, { precision: 'int8', calibration })
  const missing = await int8Missing(compile())
  if (missing) {
    console.log(`${name} in int8 skipped: ${missing}`)
    return
  }
  using exact = await model.compile(device)
  using net = await compile()
  const expected = (await exact.predict(image)).logits.data
  const { logits } = await net.predict(image)
  const schedule = net.describe()
  expect(fallbacks(schedule)).toEqual([])
  expect(schedule.filter(({ op }) => op === 'convolution')).toEqual([])
  expect(schedule.some(({ op }) => op === 'quantizedConvolution')).toBe(true)
  const error = relativeError(logits.data, [[...expected]])
  rows.push(`${name.padEnd(16)} ${error.toFixed(4)}`)
  expect(error).toBeLessThan(BOUND)
})
