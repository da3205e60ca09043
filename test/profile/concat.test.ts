import { afterAll, beforeAll, expect, it } from 'vitest'
import { createModel } from '../../models/index.js'
import type { Device } from '../../ts/runtime/device.js'
import { elementCount, tensor } from '../../ts/tensor.js'
import { openTestDevice, TEST_DEVICE } from '../support/device.js'
import { relativeL2 } from '../support/gradients.js'

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

const SIDE = 64
const model = createModel('densenet121')

it.skipIf(TEST_DEVICE !== 'cpu').each([1, 2, 8])(
  'moves no channel of DenseNet-121 more than once, of %d images',
  async (batch) => {
    using net = await model.compile(device, { batch, size: SIDE })
    const { steps } = await net.profile({ runs: 1 })
    const concats = steps.filter(({ op }) => op === 'concat')
    expect(concats).toHaveLength(6 + 12 + 24 + 16)
    const channelsOf = ({ problem }: (typeof concats)[number]) => problem!.inputs[0]!.shape[1]
    // Several images: what a block begins with is moved as well.
    expect(concats.filter(({ inPlace }) => !inPlace).map(channelsOf)).toEqual(
      batch > 1 ? [64, 128, 256, 512] : [],
    )
    for (const { moved, inPlace, problem } of concats) {
      const [first, appended] = problem!.inputs
      expect(appended!.shape[1]).toBe(32)
      const parts = inPlace ? [appended] : [first, appended]
      // Read and written.
      expect(moved).toBe(parts.reduce((sum, part) => sum + 2 * 4 * elementCount(part!.shape), 0))
    }
    const reordered = steps.filter(
      ({ op, phase, path }) => op === 'reorder' && phase === 'forward' && /block/.test(path),
    )
    expect(reordered).toEqual([])
  },
)

it('gives an image the same logits by itself as among others', async () => {
  const count = 3 * SIDE * SIDE
  const images = Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(i * i))
  using one = await model.compile(device, { batch: 1, size: SIDE })
  using two = await model.compile(device, { batch: 2, size: SIDE })
  const { logits: both } = await two.predict(tensor(images, [2, 3, SIDE, SIDE]))
  for (const i of [0, 1]) {
    const image = tensor(images.slice(i * count, (i + 1) * count), [1, 3, SIDE, SIDE])
    const { logits } = await one.predict(image)
    const classes = logits.data.length
    expect(relativeL2(logits.data, both.data.subarray(i * classes, (i + 1) * classes))).toBeLessThan(1e-6)
  }
})
