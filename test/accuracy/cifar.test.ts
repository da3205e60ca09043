import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createModel } from '../../models/index.js'
import type { Device } from '../../ts/runtime/device.js'
import { openTestDevice } from '../support/device.js'
import { fixtureImage } from '../support/fixture-weights.js'
import { relativeError } from '../support/reference.js'

const published = (file: string) =>
  fileURLToPath(new URL(`../data/checkpoints/cifar/${file}`, import.meta.url))

/** What PyTorch computes in float64 with the published weights. */
const reference = JSON.parse(readFileSync(published('resnet20-logits.json'), 'utf8')) as {
  readonly image: { readonly name: string; readonly shape: readonly number[]; readonly block: number }
  readonly logits: readonly (readonly number[])[]
}

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => {
  device.close()
})

describe('ResNet-20 with the published CIFAR-10 weights', () => {
  it.each(['resnet20-12fca82f.th', 'resnet20-zip.pth', 'resnet20.safetensors'])('%s', async (file) => {
    const model = createModel('resnet20')
    const report = await model.load(published(file))
    // 20 layers that learn: 19 convolutions, the same number of batch norms, the last layer's weight and bias.
    expect(report.loaded.filter((name) => !name.endsWith('num_batches_tracked'))).toHaveLength(
      19 + 19 * 4 + 2,
    )
    const { name, shape, block } = reference.image
    const net = await model.compile(device, { batch: shape[0]! })
    const { logits } = await net.predict(fixtureImage(name, shape, 0, block))
    net.dispose()
    expect(relativeError(logits.data, reference.logits)).toBeLessThan(1e-5)
  })

  it('fits ResNet-32 and no other depth', async () => {
    await createModel('resnet32').load(published('resnet32-d509ac18.th'))
    await expect(createModel('resnet20').load(published('resnet32-d509ac18.th'))).rejects.toMatchObject({
      code: 'CHECKPOINT_MISMATCH',
    })
  })
})
