import { describe, expect, it } from 'vitest'
import { drawMixture, mixImages, mixLabels } from '../../ts/data/augment/mixup.js'
import { stream } from '../../ts/data/draws.js'
import { batchesFrom } from '../../ts/data/loader/stream.js'
import { loader } from '../../ts/data/loader/loader.js'
import { tensor } from '../../ts/tensor.js'
import { all, memoryDataset, PLAIN } from './helpers.js'

const mixture = (share: number, ...partners: number[]) => ({ share, partners: Uint32Array.from(partners) })

describe('mixup', () => {
  it('mixes each image with its partner as it was', () => {
    const data = Float32Array.of(0, 1, 10, 20, 100, 200, 1000, 2000)
    // A cycle of three and one for itself
    mixImages(data, mixture(0.75, 1, 3, 2, 0))
    expect([...data]).toEqual([2.5, 5.75, 257.5, 515, 100, 200, 750, 1500.25])
  })

  it('rounds bytes', () => {
    const data = Uint8Array.of(0, 255, 3, 0)
    mixImages(data, mixture(0.75, 1, 0))
    expect([...data]).toEqual([1, 191, 2, 64])
  })

  it('mixes labels alike', () => {
    const { shape, data } = mixLabels(Int32Array.of(2, 0, 2), 3, mixture(0.75, 1, 0, 2))
    expect(shape).toEqual([3, 3])
    expect([...data]).toEqual([0.25, 0, 0.75, 0.75, 0, 0.25, 0, 0, 1])
  })

  for (const alpha of [0.2, 1, 4])
    it(`draws shares from Beta(${alpha}, ${alpha})`, () => {
      const shares = Array.from(
        { length: 4000 },
        (_, i) => drawMixture({ alpha }, 1, stream('mixup', 1, 0, i)).share,
      )
      const mean = shares.reduce((a, b) => a + b) / shares.length
      const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length
      expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true)
      expect(mean).toBeCloseTo(0.5, 1)
      expect(variance * 4 * (2 * alpha + 1)).toBeGreaterThan(0.93)
      expect(variance * 4 * (2 * alpha + 1)).toBeLessThan(1.07)
    })

  it('survives a tiny alpha', () => {
    const shares = Array.from({ length: 50 }, (_, i) =>
      drawMixture({ alpha: 1e-6 }, 1, stream('mixup', 1, 0, i)),
    )
    expect(shares.every(({ share }) => share === 0 || share === 1 || (share > 0 && share < 1))).toBe(true)
  })

  it('mixes the batches of a loader, image and label by the same draw', async () => {
    const options = { batch: 4, preprocessing: PLAIN, workers: 0, seed: 5 }
    const plain = await all(loader(memoryDataset(12), options))
    const mixed = await all(loader(memoryDataset(12), { ...options, mixup: { alpha: 1 } }))
    expect(mixed.map(({ indices }) => indices)).toEqual(plain.map(({ indices }) => indices))
    for (const [number, { images, labels, soft }] of mixed.entries()) {
      expect(labels).toEqual(plain[number]!.labels)
      const draw = drawMixture({ alpha: 1 }, 4, stream('mixup', 5, 0, number))
      const expected = plain[number]!.images.data.slice()
      mixImages(expected, draw)
      expect(Buffer.from(images.data.buffer).equals(Buffer.from(expected.buffer))).toBe(true)
      expect(soft).toEqual(mixLabels(labels, 10, draw))
    }
    expect(plain[0]!.soft).toBeUndefined()
  })

  it('mixes a stream of tensors', async () => {
    const items = [0, 1, 2, 3].map((i) => ({
      tensor: tensor(Float32Array.of(i, 10 * i), [2, 1, 1]),
      label: i,
    }))
    const options = { batch: 4, classes: 4, mixup: { alpha: 1 }, seed: 9, epoch: 2 }
    const [batch] = await all(batchesFrom(items, options))
    const { share, partners } = drawMixture({ alpha: 1 }, 4, stream('mixup', 9, 2, 0))
    const expected = [0, 1, 2, 3].map((i) => share * i + (1 - share) * partners[i]!)
    expected.forEach((value, i) => expect(batch!.images.data[2 * i]).toBeCloseTo(value, 5))
    expect(batch!.soft!.shape).toEqual([4, 4])
  })
})
