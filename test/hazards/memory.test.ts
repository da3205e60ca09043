import { expect, test } from 'vitest'
import { createModel } from '../../models/index.js'
import { OutOfMemoryError } from '../../ts/errors.js'
import { Device } from '../../ts/runtime/device.js'
import { elementCount, tensor } from '../../ts/tensor.js'

test('a batch that no machine has room for fails with the bytes asked for, and the device goes on', async () => {
  const device = await Device.open('cpu', { tuning: 'off' })
  const model = createModel('resnet18')
  const error: unknown = await model.compile(device, { batch: 1_000_000 }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(OutOfMemoryError)
  expect((error as OutOfMemoryError).message).toMatch(/\d[\d,.]* ?(bytes|[KMGT]i?B)/)

  const net = await model.compile(device, { batch: 1 })
  const { logits } = await net.predict(tensor(new Float32Array(elementCount(net.inputShape)), net.inputShape))
  expect(logits.data.every(Number.isFinite)).toBe(true)
  net.dispose()
  device.close()
})
