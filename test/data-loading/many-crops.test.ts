import { describe, expect, it } from 'vitest'
import { crops } from '../../ts/data/crops.js'
import { mirror, type Image } from '../../ts/data/pixels.js'
import { CAFFE, MNIST, TORCHVISION, TORCHVISION_INCEPTION } from '../../ts/data/preprocessing.js'
import { pixel, positions, sameBits, sameImage } from './helpers.js'

const landscape = positions(300, 256)

/** Where the upper left pixel of a crop of {@link positions} lies, and that the whole crop belongs there. */
function place(crop: Image, from: Image): [number, number] {
  const [x, y, mix] = pixel(crop, 0, 0) as [number, number, number]
  const left = x < 256 && (x * 7 + y * 13) % 256 !== mix ? x + 256 : x
  for (const [dx, dy] of [
    [0, 0],
    [crop.width - 1, 0],
    [0, crop.height - 1],
    [crop.width - 1, crop.height - 1],
  ] as const)
    expect(pixel(crop, dx, dy)).toEqual(pixel(from, left + dx, y + dy))
  return [left, y]
}

describe('crops', () => {
  it('1: the centre', async () => {
    const [only, ...rest] = await crops(landscape, 1, TORCHVISION)
    expect(rest).toEqual([])
    expect(place(only!, landscape)).toEqual([38, 16])
  })

  it('10: four corners and the centre of the central square, then their mirrors', async () => {
    const ten = await crops(landscape, 10, TORCHVISION)
    expect(ten).toHaveLength(10)
    // The central 256 x 256 starts at x = 22.
    expect(ten.slice(0, 5).map((crop) => place(crop, landscape))).toEqual([
      [22, 0],
      [54, 0],
      [22, 32],
      [54, 32],
      [38, 16],
    ])
    ten.slice(5).forEach((crop, i) => expect(sameImage(crop, mirror(ten[i]!))).toBe(true))
  })

  it('10 of a portrait', async () => {
    const portrait = positions(256, 300)
    const ten = await crops(portrait, 10, CAFFE)
    expect(ten.slice(0, 2).map((crop) => pixel(crop, 0, 0))).toEqual([
      pixel(portrait, 0, 22),
      pixel(portrait, 32, 22),
    ])
  })

  it('144: of an image whose scales need no resampling, the positions of each', async () => {
    // 512 x 256, so that the first scale is the image itself.
    const wide = positions(512, 256)
    const all = await crops(wide, 144, TORCHVISION)
    expect(all).toHaveLength(144)
    expect(
      all.every(({ width, height, channels }) => width === 224 && height === 224 && channels === 3),
    ).toBe(true)
    for (const [square, left] of [0, 128, 256].entries()) {
      const group = all.slice(12 * square, 12 * square + 12)
      const expected = [
        [0, 0],
        [32, 0],
        [0, 32],
        [32, 32],
        [16, 16],
      ].map(([x, y]) => pixel(wide, left + x!, y!))
      expect(group.slice(0, 5).map((crop) => pixel(crop, 0, 0))).toEqual(expected)
      group.slice(6).forEach((crop, i) => expect(sameImage(crop, mirror(group[i]!))).toBe(true))
    }
  })

  it('144: of a portrait, squares at the top, in the middle and at the bottom', async () => {
    const tall = positions(256, 500)
    const all = await crops(tall, 144, TORCHVISION)
    for (const [square, top] of [0, 122, 244].entries()) {
      expect(pixel(all[12 * square]!, 0, 0)).toEqual(pixel(tall, 0, top))
      expect(pixel(all[12 * square + 3]!, 223, 223)).toEqual(pixel(tall, 255, top + 255))
    }
  })

  it('144: each square resized as a whole, at each scale', async () => {
    // Red grows from 0 to 255 over the width, green over the height.
    const width = 704
    const height = 352
    const data = new Uint8Array(3 * width * height)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        data.set([(255 * x) / (width - 1), (255 * y) / (height - 1), 0], 3 * (y * width + x))
    const all = await crops({ width, height, channels: 3, data }, 144, TORCHVISION)
    for (let scale = 0; scale < 4; scale++)
      for (const [square, [from, to]] of (
        [
          [0, 127],
          [64, 191],
          [128, 255],
        ] as const
      ).entries()) {
        const whole = all[(scale * 3 + square) * 12 + 5]!
        for (const [x, y, red, green] of [
          [0, 0, from, 0],
          [223, 223, to, 255],
        ] as const) {
          const [r, g] = pixel(whole, x, y) as [number, number]
          expect(Math.abs(r - red)).toBeLessThanOrEqual(2)
          expect(Math.abs(g - green)).toBeLessThanOrEqual(2)
        }
        // A corner crop shows 224 of the scale's 256, 288, 320 or 352 rows.
        const [, last] = pixel(all[(scale * 3 + square) * 12]!, 0, 223) as [number, number]
        expect(Math.abs(last - (255 * 223.5) / (256 + 32 * scale))).toBeLessThanOrEqual(2)
      }
  })

  it('144: scales grow with the crop', async () => {
    const all = await crops(landscape, 144, TORCHVISION_INCEPTION)
    expect(all).toHaveLength(144)
    expect(all.every(({ width, height }) => width === 299 && height === 299)).toBe(true)
  })

  it('of grey images have one channel', async () => {
    for (const count of [1, 10, 144] as const)
      for (const crop of await crops(positions(40, 30), count, MNIST))
        expect([crop.channels, crop.data.length]).toEqual([1, 28 * 28])
  })

  it('do not touch the image', async () => {
    const before = landscape.data.slice()
    await crops(landscape, 144, TORCHVISION)
    expect(sameBits(landscape.data, before)).toBe(true)
  })
})
