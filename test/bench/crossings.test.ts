import { expect, test } from 'vitest'
import { Crossings } from '../../bench/support/crossings.js'
import { TRAINING } from '../../bench/support/networks.js'
import { createModel } from '../../models/index.js'
import { Device } from '../../ts/runtime/device.js'
import { elementCount, tensor } from '../../ts/tensor.js'

test('an inference and a training step call the addon once', async () => {
  const crossings = new Crossings()
  using device = await Device.open('cpu', { threads: 1, tuning: 'off' })
  const model = createModel('lenet5_modern')
  using net = await model.compile(device)
  expect(crossings.count).toBeGreaterThan(1)
  const images = tensor(new Float32Array(elementCount(net.inputShape)), net.inputShape)
  const afterwards = crossings.count
  await net.predict(images)
  expect(crossings.count).toBe(afterwards + 1)

  using step = await model.compile(device, { batch: 1, training: TRAINING })
  const compiled = crossings.count
  await step.run(images, Int32Array.of(3))
  expect(crossings.count).toBe(compiled + 1)
})
