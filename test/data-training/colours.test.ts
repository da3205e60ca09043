import { describe, expect, it } from 'vitest'
import * as colour from '../../ts/data/augment/colour.js'
import { stream } from '../../ts/data/draws.js'
import { drawing } from './helpers.js'

const random = (index: number) => stream('augmentation', 3, 4, index)

function changed(pixels: readonly number[], change: (colours: Float32Array) => void): number[] {
  const colours = Float32Array.from(pixels)
  change(colours)
  return Array.from(colours, (value) => Math.round(value * 1e4) / 1e4)
}

function recoloured(
  bytes: readonly number[],
  ...[transforms, draws]: Parameters<typeof colour.recolour> extends [unknown, ...infer R] ? R : never
) {
  const data = Uint8Array.from(bytes)
  colour.recolour({ width: bytes.length / 3, height: 1, channels: 3, data }, transforms, draws)
  return [...data]
}

describe('lighting', () => {
  it('knows the components of ImageNet', () => {
    expect(colour.IMAGENET_COLOURS.values).toEqual([0.2175, 0.0188, 0.0045])
    const { vectors } = colour.IMAGENET_COLOURS
    // Columns are orthogonal and of length one, up to the published digits.
    for (let a = 0; a < 3; a++)
      for (let b = 0; b < 3; b++) {
        const product = vectors.reduce((sum, row) => sum + row[a]! * row[b]!, 0)
        expect(product).toBeCloseTo(a === b ? 1 : 0, 3)
      }
    // The first is brightness: all channels together.
    expect(vectors.map(([first]) => first)).toEqual([-0.5675, -0.5808, -0.5836])
  })

  it('adds components times alphas to every pixel', () => {
    const add = (alphas: number[]) => changed([0.5, 0.5, 0.5, 0, 0, 1], (c) => colour.light(c, alphas))
    // 0.5675 * 0.2175 = 0.1234, 0.5808 * 0.2175 = 0.1263, 0.5836 * 0.2175 = 0.1269
    expect(add([-1, 0, 0])).toEqual([0.6234, 0.6263, 0.6269, 0.1234, 0.1263, 1.1269])
    // 0.7192 * 0.0188 + 0.4009 * 0.0045 = 0.0153 ...
    expect(add([0, 1, 1])).toEqual([0.5153, 0.4963, 0.4888, 0.0153, -0.0037, 0.9888])
  })

  it('draws normal alphas of its deviation, 0.1', () => {
    const shifts = Array.from({ length: 3000 }, (_, i) => {
      const [red, , blue] = recoloured([128, 128, 128], [{ kind: 'lighting' }], random(i))
      return [red! - 128, blue! - 128] as const
    })
    const deviation = (values: number[]) =>
      Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)
    // 25.5 * |(0.5675 * 0.2175, 0.7192 * 0.0188, 0.4009 * 0.0045)| and the rounding's 1/12
    expect(deviation(shifts.map(([red]) => red))).toBeCloseTo(Math.hypot(25.5 * 0.12418, 0.289), 0)
    expect(deviation(shifts.map(([, blue]) => blue))).toBeCloseTo(Math.hypot(25.5 * 0.12761, 0.289), 0)
    expect(recoloured([9, 99, 199], [{ kind: 'lighting', deviation: 0 }], random(0))).toEqual([9, 99, 199])
  })
})

describe('colour jitter', () => {
  const pixels = [0.2, 0.4, 0.6, 0.8, 0.8, 0]

  it('changes brightness', () => {
    expect(changed(pixels, (c) => colour.scaleBrightness(c, 1.5))).toEqual([0.3, 0.6, 0.9, 1, 1, 0])
  })

  it('changes contrast about the mean luma', () => {
    // Lumas 0.36298 and 0.70872, their mean 0.53585
    expect(changed(pixels, (c) => colour.blendContrast(c, 0.5))).toEqual([
      0.3679, 0.4679, 0.5679, 0.6679, 0.6679, 0.2679,
    ])
    expect(changed(pixels, (c) => colour.blendContrast(c, 0))).toEqual(Array(6).fill(0.5358))
  })

  it('changes saturation about the own luma', () => {
    expect(changed(pixels, (c) => colour.blendSaturation(c, 0))).toEqual([
      0.363, 0.363, 0.363, 0.7087, 0.7087, 0.7087,
    ])
    expect(changed(pixels, (c) => colour.blendSaturation(c, 1.5))).toEqual([
      0.1185, 0.4185, 0.7185, 0.8456, 0.8456, 0,
    ])
  })

  it('turns the hue', () => {
    const primaries = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    const turned = (turn: number) => changed(primaries, (c) => colour.turnHue(c, turn))
    expect(turned(1 / 3)).toEqual([0, 1, 0, 0, 0, 1, 1, 0, 0])
    expect(turned(-1 / 3)).toEqual([0, 0, 1, 1, 0, 0, 0, 1, 0])
    expect(turned(0.5)).toEqual([0, 1, 1, 1, 0, 1, 1, 1, 0])
    expect(turned(1 / 12)).toEqual([1, 0.5, 0, 0, 1, 0.5, 0.5, 0, 1])
    // Hue 210 degrees, saturation 2/3, value 0.6, turned by 90; the grey has no hue.
    expect(changed([0.2, 0.4, 0.6, 0.3, 0.3, 0.3], (c) => colour.turnHue(c, 0.25))).toEqual([
      0.6, 0.2, 0.6, 0.3, 0.3, 0.3,
    ])
    const any = Array.from({ length: 300 }, () => Math.random())
    for (const turn of [0, 1, -1])
      changed(any, (c) => colour.turnHue(c, turn)).forEach((x, i) => expect(x).toBeCloseTo(any[i]!, 3))
  })

  it('draws factors and the order', () => {
    const jitter = { kind: 'colourJitter', brightness: 0.5, contrast: 0.5 } as const
    // Factors 1.5 and 0.5; brightness, contrast, saturation, hue are drawn, then the order of the two.
    const draws = (order: number) => drawing(1 - 2 ** -32, 0, 0, 0, order)
    // A grey of 0.8: clamped to 1 first, or not.
    const bytes = [204, 204, 204, 0, 0, 0]
    expect(recoloured(bytes, [jitter], draws(0.9))).toEqual([191, 191, 191, 64, 64, 64])
    expect(recoloured(bytes, [jitter], draws(0.1))).toEqual([229, 229, 229, 76, 76, 76])
  })

  it('does nothing without amounts', () => {
    expect(recoloured([1, 128, 255], [{ kind: 'colourJitter' }], random(0))).toEqual([1, 128, 255])
  })
})

describe("Inception's distortions", () => {
  it('are those of TensorFlow', () => {
    const pixels = [0.2, 0.4, 0.6, 0.8, 0.8, 0]
    expect(changed(pixels, (c) => colour.shiftBrightness(c, 0.25))).toEqual([
      0.45, 0.65, 0.85, 1.05, 1.05, 0.25,
    ])
    // Means of the channels 0.5, 0.6, 0.3
    expect(changed(pixels, (c) => colour.scaleContrast(c, 1.5))).toEqual([0.05, 0.3, 0.75, 0.95, 0.9, -0.15])
    // Saturations 2/3 and 1: the second cannot grow.
    expect(changed(pixels, (c) => colour.scaleSaturation(c, 1.5))).toEqual([0, 0.3, 0.6, 0.8, 0.8, 0])
    expect(changed(pixels, (c) => colour.scaleSaturation(c, 0.5))).toEqual([0.4, 0.5, 0.6, 0.8, 0.8, 0.4])
    // Below zero, as after the others: the saturation of 1.5 is taken for 1.
    expect(changed([-0.2, 0.1, 0.4], (c) => colour.scaleSaturation(c, 1))).toEqual([0, 0.2, 0.4])
  })

  it('come in one of four orders', () => {
    const bytes = [51, 102, 153, 204, 204, 0]
    const distort = (order: number, shift: number, saturation: number, turn: number, contrast: number) =>
      recoloured(bytes, [{ kind: 'inceptionColours' }], drawing(order, shift, saturation, turn, contrast))
    // Each neutral in the middle of its range
    for (const order of [0, 0.25, 0.5, 0.75]) expect(distort(order, 0.5, 0.5, 0.5, 0.5)).toEqual(bytes)
    // Shift 0.8 * 32/255, saturation 1.4, turn 0.12, contrast 1.4
    const steps = {
      b: (c: Float32Array) => colour.shiftBrightness(c, (0.8 * 32) / 255),
      s: (c: Float32Array) => colour.scaleSaturation(c, 1.4),
      h: (c: Float32Array) => colour.turnHue(c, 0.12),
      c: (c: Float32Array) => colour.scaleContrast(c, 1.4),
    }
    for (const [i, order] of (['bshc', 'sbch', 'chbs', 'hscb'] as const).entries()) {
      const colours = Float32Array.from(bytes, (byte) => byte / 255)
      for (const step of order) steps[step as keyof typeof steps](colours)
      const expected = [...Uint8ClampedArray.from(colours, (value) => value * 255)]
      expect(distort(i / 4, 0.9, 0.9, 0.8, 0.9)).toEqual(expected)
    }
    expect(distort(0, 1, 0.5, 0.5, 0.5)).toEqual([83, 134, 185, 236, 236, 32])
  })
})
