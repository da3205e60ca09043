import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { cropCentre, decodeImage, loadImage } from '../../ts/data/image.js'
import { CIFAR, MNIST, NSFWJS, TORCHVISION, TORCHVISION_INCEPTION } from '../../ts/data/preprocessing.js'
import { InvalidArgumentError } from '../../ts/errors.js'
import { failure, pixel, positions, raw, sameImage } from './helpers.js'

interface Expected {
  readonly sha256: string
  readonly blocks: readonly number[]
}
const pillow = JSON.parse(readFileSync(join(import.meta.dirname, 'pillow.json'), 'utf8')) as Record<
  string,
  Record<string, Expected>
>
const preprocessings = {
  'bilinear 224': TORCHVISION,
  'bilinear 299': TORCHVISION_INCEPTION,
  'bicubic 224': { ...TORCHVISION, interpolation: 'bicubic' },
  'lanczos3 224': { ...TORCHVISION, interpolation: 'lanczos3' },
} as const

const photograph = (name: string) => join(import.meta.dirname, '../data/images', `${name}.png`)
const png = (width: number, height: number) => {
  const image = positions(width, height)
  return sharp(image.data, raw(image)).png().toBuffer()
}

describe('loadImage', () => {
  it.each(
    Object.entries(pillow).flatMap(([name, cases]) =>
      Object.keys(cases).map((kind) => [name, kind] as const),
    ),
  )('cuts %s (%s) as Pillow does', async (name, kind) => {
    const expected = pillow[name]![kind]!
    const preprocessing = preprocessings[kind as keyof typeof preprocessings]
    const { width, height, data } = await loadImage(photograph(name), preprocessing)
    const { size } = preprocessing
    expect([width, height]).toEqual([size, size])
    const enlarged = name === 'red_panda' || (name === 'chelsea' && size === 299)
    if (enlarged) expect(createHash('sha256').update(data).digest('hex')).toBe(expected.sha256)
    const side = Math.floor(size / 8)
    for (const [i, mean] of expected.blocks.entries()) {
      const [row, column, c] = [Math.floor(i / 24), Math.floor(i / 3) % 8, i % 3]
      let sum = 0
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++) sum += data[((row * side + y) * size + column * side + x) * 3 + c]!
      expect(Math.abs(sum / side ** 2 - mean)).toBeLessThan(0.5)
    }
  })

  it.each([
    [300, 256, 38, 16],
    [256, 301, 16, 38],
    // Margins of 13 and 15: Python rounds their halves to 6 and 8.
    [256 - 19 + 256, 256, 134, 16],
    [237 + 256 + 2, 256, 136, 16],
  ])('cuts the centre of %i x %i without resampling at (%i, %i)', async (width, height, left, top) => {
    const crop = await loadImage(await png(width, height), TORCHVISION)
    const whole = positions(width, height)
    for (const [x, y] of [
      [0, 0],
      [223, 0],
      [0, 223],
      [223, 223],
    ] as const)
      expect(pixel(crop, x, y)).toEqual(pixel(whole, left + x, top + y))
  })

  it('gives the same pixels as decoding first', async () => {
    for (const name of ['chelsea', 'coffee', 'red_panda']) {
      const path = photograph(name)
      const decoded = await cropCentre(await decodeImage(path), TORCHVISION)
      expect(sameImage(await loadImage(path, TORCHVISION), decoded)).toBe(true)
    }
  })

  it('crops after turning the image upright', async () => {
    const stored = positions(300, 256)
    const turned = await sharp(stored.data, raw(stored)).withMetadata({ orientation: 6 }).png().toBuffer()
    const crop = await loadImage(turned, TORCHVISION)
    // Upright, (x, y) shows the stored (y, 255 - x); the crop starts at (16, 38).
    expect(pixel(crop, 0, 0)).toEqual(pixel(stored, 38, 255 - 16))
    expect(pixel(crop, 223, 0)).toEqual(pixel(stored, 38, 255 - 16 - 223))
  })

  it("squeezes the whole image with resize 'exact'", async () => {
    const { width, height, data } = await loadImage(await png(100, 50), NSFWJS)
    expect([width, height]).toEqual([299, 299])
    expect(data[0]).toBe(0)
    expect(data[3 * 298]).toBe(99)
    expect(data[3 * 298 * 299 + 1]).toBe(49)
  })

  it('leaves images of the right size alone', async () => {
    expect(sameImage(await loadImage(await png(32, 32), CIFAR), positions(32, 32))).toBe(true)
  })

  it('reduces to grey by luma', async () => {
    const colours = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [77, 77, 77],
    ]
    const data = Buffer.alloc(28 * 28 * 3)
    for (let i = 0; i < 28 * 28; i++) data.set(colours[i % 4]!, 3 * i)
    const bytes = await sharp(data, { raw: { width: 28, height: 28, channels: 3 } })
      .png()
      .toBuffer()
    const grey = await loadImage(bytes, MNIST)
    expect(grey.channels).toBe(1)
    expect([...grey.data.subarray(0, 4)]).toEqual([76, 150, 29, 77])
  })

  it('survives a strip of paper', async () => {
    const strip = await sharp({ create: { width: 1, height: 20_000, channels: 3, background: '#0a141e' } })
      .png()
      .toBuffer()
    const crop = await loadImage(strip, TORCHVISION)
    expect(pixel(crop, 100, 100)).toEqual([10, 20, 30])
    const wide = await sharp({ create: { width: 80_000, height: 300, channels: 3, background: '#0a141e' } })
      .png()
      .toBuffer()
    expect(pixel(await loadImage(wide, TORCHVISION), 0, 223)).toEqual([10, 20, 30])
  })

  it('refuses a preprocessing that contradicts itself', async () => {
    for (const bad of [{ resize: 200 }, { size: 0 }, { mean: [0] }, { deviation: [] }] as const)
      expect(await failure(loadImage(photograph('coffee'), { ...TORCHVISION, ...bad }))).toBeInstanceOf(
        InvalidArgumentError,
      )
  })
})
