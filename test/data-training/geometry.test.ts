import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { augment } from '../../ts/data/augment/augment.js'
import { chooseView, render, shrinkFactor, type View } from '../../ts/data/augment/view.js'
import { stream } from '../../ts/data/draws.js'
import { decodeImage, type Image } from '../../ts/data/image.js'
import { interpolate } from '../../ts/data/interpolate.js'
import { cut } from '../../ts/data/pixels.js'
import type { Preprocessing } from '../../ts/data/preprocessing.js'
import { positions } from '../data-loading/helpers.js'
import { drawing, grey, PLAIN, rowsOf } from './helpers.js'

const random = (index: number) => stream('augmentation', 1, 2, index)
const sized = (size: number): Preprocessing => ({ ...PLAIN, size, resize: size })
const whole = ({ width, height }: { width: number; height: number }) => ({ left: 0, top: 0, width, height })

const show = (image: Image, view: Partial<View>) =>
  rowsOf(
    render(
      image,
      { from: whole(image), to: image, window: whole(image), mirrored: false, ...view },
      image,
      PLAIN,
    ),
  )

describe('a random resized crop', () => {
  it('follows the draws', () => {
    // 0.5 of 100 x 50 pixels at a ratio of 1 are 50 x 50; the middle of 51 columns, the only row.
    const view = chooseView(
      { width: 100, height: 50 },
      [{ kind: 'randomResizedCrop', scale: [0.4, 0.6], ratio: [0.5, 2] }],
      PLAIN,
      drawing(0.5, 0.5, 0.5, 0.99),
    )
    expect(view).toEqual({
      from: { left: 25, top: 0, width: 50, height: 50 },
      to: { width: 8, height: 8 },
      window: { left: 0, top: 0, width: 8, height: 8 },
      mirrored: false,
    })
  })

  it('draws anew what does not fit, and takes the centre after ten', () => {
    const crop = { kind: 'randomResizedCrop', scale: [1, 1], ratio: [1, 1] } as const
    const tooWide = Array<number[]>(10).fill([0, 0]).flat()
    const view = chooseView({ width: 100, height: 50 }, [crop], PLAIN, drawing(...tooWide))
    expect(view.from).toEqual({ left: 25, top: 0, width: 50, height: 50 })
    const tall = chooseView({ width: 50, height: 101 }, [crop], PLAIN, drawing(...tooWide))
    expect(tall.from).toEqual({ left: 0, top: 25, width: 50, height: 50 })
  })

  it('has the areas and ratios of its ranges', () => {
    const image = { width: 500, height: 375 }
    const views = Array.from(
      { length: 4000 },
      (_, i) => chooseView(image, [{ kind: 'randomResizedCrop' }], PLAIN, random(i)).from,
    )
    const areas = views.map(({ width, height }) => (width * height) / (500 * 375))
    const ratios = views.map(({ width, height }) => width / height)
    expect(Math.min(...areas)).toBeGreaterThan(0.078)
    expect(Math.max(...areas)).toBeGreaterThan(0.97)
    expect(Math.min(...ratios)).toBeGreaterThan(0.74)
    expect(Math.max(...ratios)).toBeLessThan(1.35)
    for (const { left, top, width, height } of views) {
      expect(left >= 0 && left + width <= 500).toBe(true)
      expect(top >= 0 && top + height <= 375).toBe(true)
    }
    // Few of the parts up to 0.6 are too wide or high for the image: their areas are uniform.
    const small = areas.filter((area) => area < 0.6)
    expect(small.reduce((a, b) => a + b) / small.length).toBeCloseTo(0.34, 1)
    const wide = ratios.filter((_, i) => areas[i]! < 0.5).filter((ratio) => ratio > 1).length
    expect(wide / small.length).toBeGreaterThan(0.36)
    expect(wide / small.length).toBeLessThan(0.47)
  })
})

describe('other views', () => {
  it('jitters the scale over both ends of its range', () => {
    const shorter = (number: number) =>
      chooseView(
        { width: 500, height: 400 },
        [{ kind: 'resizeShorter', to: [256, 512] }],
        PLAIN,
        drawing(number),
      ).to
    expect(shorter(0)).toEqual({ width: 320, height: 256 })
    expect(shorter(1 - 2 ** -32)).toEqual({ width: 640, height: 512 })
  })

  it('crops anywhere in a resized image', () => {
    const at = (across: number, down: number) =>
      chooseView(
        { width: 500, height: 400 },
        [{ kind: 'resizeShorter', to: 256 }, { kind: 'randomCrop' }],
        sized(224),
        drawing(across, down),
      )
    const last = 1 - 2 ** -32
    expect(at(0, 0)).toMatchObject({ from: { width: 500 }, to: { width: 320 }, window: { left: 0, top: 0 } })
    expect(at(last, last).window).toEqual({ left: 96, top: 32, width: 224, height: 224 })
  })

  it('takes the centre where no stage crops', () => {
    const image = { width: 50, height: 40 }
    const centre = { left: 1, top: 0, width: 8, height: 8 }
    expect(chooseView(image, [], PLAIN, drawing())).toMatchObject({
      to: { width: 10, height: 8 },
      window: centre,
    })
    expect(chooseView(image, [{ kind: 'horizontalFlip' }], PLAIN, drawing(0.4))).toMatchObject({
      window: centre,
      mirrored: true,
    })
    const resized = chooseView(image, [{ kind: 'resizeShorter', to: 16 }], PLAIN, drawing())
    expect(resized.window).toEqual({ left: 6, top: 4, width: 8, height: 8 })
  })

  it('flips half of the images, or as many as it is told', () => {
    const share = (probability?: number) => {
      const flip = { kind: 'horizontalFlip', ...(probability !== undefined && { probability }) } as const
      const views = Array.from({ length: 2000 }, (_, i) => chooseView(PLAIN_SIZE, [flip], PLAIN, random(i)))
      return views.filter(({ mirrored }) => mirrored).length / 2000
    }
    const PLAIN_SIZE = { width: 8, height: 8 }
    expect(share()).toBeCloseTo(0.5, 1)
    expect(share(0)).toBe(0)
    expect(share(1)).toBe(1)
  })

  it('refuses a crop that the image does not hold', () => {
    const crop = (padding: number) =>
      chooseView({ width: 6, height: 8 }, [{ kind: 'randomCrop', padding }], PLAIN, drawing(0, 0))
    expect(() => crop(0)).toThrow('6 x 8 pixels with a padding of 0 hold no crop of 8 x 8')
    expect(crop(1).window).toEqual({ left: -1, top: -1, width: 8, height: 8 })
  })
})

describe('the pixels of a view', () => {
  const image = grey([
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ])
  const square = (left: number, top: number, side = 3) => ({ left, top, width: side, height: side })

  it('are cut out, in a black frame', () => {
    expect(show(image, { window: square(1, 1, 2) })).toEqual([
      [5, 6],
      [8, 9],
    ])
    expect(show(image, { window: square(-1, -2) })).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 1, 2],
    ])
    expect(show(image, { window: square(2, 1) })).toEqual([
      [6, 0, 0],
      [9, 0, 0],
      [0, 0, 0],
    ])
  })

  it('are mirrored after they are cut out', () => {
    expect(show(image, { mirrored: true })).toEqual([
      [3, 2, 1],
      [6, 5, 4],
      [9, 8, 7],
    ])
    expect(show(image, { window: square(-1, 0), mirrored: true })).toEqual([
      [2, 1, 0],
      [5, 4, 0],
      [8, 7, 0],
    ])
    const colours: Image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3, 4, 5, 6) }
    const view = { from: whole(colours), to: colours, window: whole(colours), mirrored: true }
    expect([...render(colours, view, colours, PLAIN).data]).toEqual([4, 5, 6, 1, 2, 3])
  })

  it('are resized, seeing nothing of what lies outside', () => {
    const line = grey([[255, 0, 70, 140, 210, 255]])
    const from = { left: 1, top: 0, width: 4, height: 1 }
    const to = { width: 2, height: 1 }
    // Triangles of twice the width: (0.75 * 0 + 0.75 * 70 + 0.25 * 140) / 1.75 and its mirror image.
    expect(show(line, { from, to, window: whole(to) })).toEqual([[50, 160]])
    expect(show(line, { from, to, window: whole(to), mirrored: true })).toEqual([[160, 50]])
    expect(show(line, { from, to, window: { left: 1, top: 0, width: 1, height: 1 } })).toEqual([[160]])
    const wide = { width: 4, height: 1 }
    const two = grey([[9, 100, 200, 9]])
    const part = { left: 1, top: 0, width: 2, height: 1 }
    expect(show(two, { from: part, to: wide, window: whole(wide) })).toEqual([[100, 125, 175, 200]])
  })

  it('are resized in a frame', () => {
    const two = grey([[100, 200]])
    const to = { width: 4, height: 1 }
    const window = { left: -1, top: 0, width: 4, height: 1 }
    expect(show(two, { to, window })).toEqual([[0, 100, 125, 175]])
    expect(show(two, { to, window, mirrored: true })).toEqual([[175, 125, 100, 0]])
    expect(show(two, { to, window: { ...window, left: 2 } })).toEqual([[175, 200, 0, 0]])
  })
})

describe('resized crops', () => {
  // Made by pillow.py
  const expected = [
    [
      'bilinear',
      [37, 20, 300, 250],
      [224, 224],
      'f8b968fb3916d7c3e41d01acadf8d7b1a9e1b7d79ea5c2c46cdd93410ba26d44',
    ],
    [
      'bicubic',
      [5, 7, 400, 100],
      [224, 160],
      '28dae63906b6b56dc5f60796b9e5593199dc218c884d56c50a70dec0820efd76',
    ],
    [
      'lanczos3',
      [0, 0, 451, 300],
      [200, 100],
      '314f4255add8fce5fb3744ed81988481c2f0893a4ce415e409751cc72f94ea44',
    ],
  ] as const
  for (const [interpolation, [left, top, width, height], [across, down], hash] of expected)
    it(`agree with Pillow bit for bit: ${interpolation}`, async () => {
      const image = await decodeImage(fileURLToPath(new URL('../data/images/chelsea.png', import.meta.url)))
      const to = { width: across, height: down }
      const from = { left, top, width, height }
      const { data } = interpolate(image, from, to, whole(to), interpolation)
      expect(createHash('sha256').update(data).digest('hex')).toBe(hash)
      // A window shows a part of the same.
      const window = { left: 50, top: 30, width: 100, height: 60 }
      const seen = interpolate(image, from, to, window, interpolation)
      const all = { width: across, height: down, channels: 3, data } as const
      expect(seen).toEqual(cut(all, window))
    })
})

describe('files', () => {
  it('are shrunk as they are decoded, as far as nobody can tell', () => {
    const factor = (width: number) =>
      shrinkFactor(chooseView({ width, height: width }, [{ kind: 'resizeShorter', to: 8 }], PLAIN, drawing()))
    expect([8, 31, 32, 63, 64, 128, 1000].map(factor)).toEqual([1, 1, 2, 2, 4, 8, 8])
  })

  it('look the same, shrunk or not', async () => {
    const photograph = sharp(fileURLToPath(new URL('../data/images/coffee.png', import.meta.url)))
    const file = await photograph.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()
    const whole = await decodeImage(file)
    for (let i = 0; i < 5; i++) {
      const crop = { kind: 'randomResizedCrop', scale: [0.8, 1] } as const
      const shrunk = await augment(file, [crop], sized(32), random(i))
      const exact = await augment(whole, [crop], sized(32), random(i))
      const errors = Array.from(shrunk.data, (byte, j) => Math.abs(byte - exact.data[j]!))
      expect(Math.max(...errors)).toBeLessThan(16)
      expect(errors.reduce((a, b) => a + b) / errors.length).toBeLessThan(1)
    }
  })

  it('leave decoded pixels as they are', async () => {
    const image = positions(8, 8)
    const before = [...image.data]
    const seen = await augment(image, [{ kind: 'lighting', deviation: 5 }], PLAIN, random(0))
    expect([...image.data]).toEqual(before)
    expect([...seen.data]).not.toEqual(before)
  })
})
