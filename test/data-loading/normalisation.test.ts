import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { loadBatch, loadByteBatch, loadImage, normalize, packBytes, toTensor } from '../../ts/data/image.js'
import { CAFFE, CIFAR, MNIST, TORCHVISION } from '../../ts/data/preprocessing.js'
import { ShapeError } from '../../ts/errors.js'
import { positions, sameBits } from './helpers.js'

const photographs = ['chelsea', 'coffee', 'red_panda'].map((name) =>
  join(import.meta.dirname, '../data/images', `${name}.png`),
)

describe('normalisation', () => {
  it('follows torchvision: RGB planes, / 255, mean, deviation', () => {
    const { data, shape } = toTensor([positions(32, 32)], CIFAR)
    expect(shape).toEqual([1, 3, 32, 32])
    const at = (c: number, y: number, x: number) => data[(c * 32 + y) * 32 + x]
    expect(at(0, 5, 9)).toBeCloseTo((9 / 255 - 0.485) / 0.229, 6)
    expect(at(1, 5, 9)).toBeCloseTo((5 / 255 - 0.456) / 0.224, 6)
    expect(at(2, 5, 9)).toBeCloseTo(((9 * 7 + 5 * 13) / 255 - 0.406) / 0.225, 6)
  })

  it('follows Keras: BGR planes less the mean pixel', () => {
    const { data } = toTensor([positions(224, 224)], CAFFE)
    const at = (c: number, y: number, x: number) => data[(c * 224 + y) * 224 + x]
    expect(at(0, 5, 9)).toBeCloseTo(9 * 7 + 5 * 13 - 103.939, 4)
    expect(at(1, 5, 9)).toBeCloseTo(5 - 116.779, 4)
    expect(at(2, 5, 9)).toBeCloseTo(9 - 123.68, 4)
  })

  it('keeps MNIST in [0, 1]', () => {
    const data = new Uint8Array(28 * 28).fill(255)
    data[0] = 0
    data[1] = 51
    const out = toTensor([{ width: 28, height: 28, channels: 1, data }], MNIST)
    expect(out.shape).toEqual([1, 1, 28, 28])
    expect(out.data[0]).toBe(0)
    expect(out.data[1]).toBeCloseTo(0.2, 7)
    expect(out.data[2]).toBe(1)
  })

  it('writes at an offset, and nowhere else', () => {
    const out = new Float32Array(3 * 32 * 32 + 7).fill(42)
    normalize(positions(32, 32), CIFAR, out, 5)
    expect([...out.subarray(0, 5), ...out.subarray(-2)]).toEqual([42, 42, 42, 42, 42, 42, 42])
    expect(sameBits(out.subarray(5, -2), toTensor([positions(32, 32)], CIFAR).data)).toBe(true)
  })

  it('shows grey images to colour networks', () => {
    const grey = {
      width: 32,
      height: 32,
      channels: 1 as const,
      data: new Uint8Array(32 * 32).map((_, i) => i % 251),
    }
    const bytes = new Uint8Array(3 * 32 * 32)
    packBytes(grey, CIFAR, bytes)
    expect([...bytes.subarray(3 * 40, 3 * 42)]).toEqual([40, 40, 40, 41, 41, 41])
  })

  it('packs bytes in the order of the channels', () => {
    const image = positions(224, 224)
    const bytes = new Uint8Array(image.data.length + 1)
    packBytes(image, CAFFE, bytes, 1)
    expect([...bytes.subarray(1 + 3 * 9, 4 + 3 * 9)]).toEqual([63, 0, 9])
    packBytes(image, TORCHVISION, bytes, 1)
    expect(sameBits(bytes.subarray(1), image.data)).toBe(true)
  })

  it('refuses an image of another size', () => {
    expect(() => toTensor([positions(31, 32)], CIFAR)).toThrow(ShapeError)
  })
})

describe('batches of files', () => {
  it('hold the images in order, normalised', async () => {
    const batch = await loadBatch(photographs, TORCHVISION)
    expect(batch.shape).toEqual([3, 3, 224, 224])
    for (const [i, path] of photographs.entries()) {
      const one = toTensor([await loadImage(path, TORCHVISION)], TORCHVISION)
      const mine = batch.data.subarray(i * one.data.length, (i + 1) * one.data.length)
      expect(sameBits(mine, one.data)).toBe(true)
    }
  })

  it('hold the bytes that normalise to the same', async () => {
    const floats = await loadBatch(photographs, CAFFE)
    const { shape, data } = await loadByteBatch(photographs, CAFFE)
    expect(shape).toEqual([3, 224, 224, 3])
    for (let i = 0; i < data.length; i += 1013) {
      const [n, p, c] = [Math.floor(i / 150_528), Math.floor((i % 150_528) / 3), i % 3]
      expect(floats.data[n * 150_528 + c * 50_176 + p]).toBeCloseTo(data[i]! - CAFFE.mean[c]!, 4)
    }
  })

  it('leave the event loop free while they load', async () => {
    const large = await sharp(photographs[0]).resize(3000, 2000).jpeg().toBuffer()
    let turns = 0
    let loading = true
    const turn = () => {
      turns++
      if (loading) setImmediate(turn)
    }
    turn()
    await loadBatch(
      Array.from({ length: 8 }, () => large),
      TORCHVISION,
    )
    loading = false
    expect(turns).toBeGreaterThan(100)
  })
})
