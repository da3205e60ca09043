import type { RandomStream } from '../../random.js'
import { below, between, permutation } from '../draws.js'
import type { Image } from '../pixels.js'
import type { ColourJitter, Colouring } from './transform.js'

/**
 * Principal components of ImageNet's pixels, scaled to [0, 1]: the roots of the covariance's eigenvalues and its
 * eigenvectors, a column each, rows red, green and blue. As published with fb.resnet.torch.
 */
export const IMAGENET_COLOURS = {
  values: [0.2175, 0.0188, 0.0045],
  vectors: [
    [-0.5675, 0.7192, 0.4009],
    [-0.5808, -0.0045, -0.814],
    [-0.5836, -0.6948, 0.4203],
  ],
} as const

/** Pixels of an RGB image in [0, 1], in which colours change without rounding in between. */
export type Colours = Float32Array

type Change = (colours: Colours) => void

/** Changes the colours of an RGB image in place. */
export function recolour({ data }: Image, transforms: readonly Colouring[], random: RandomStream): void {
  if (transforms.length === 0) return
  const colours = new Float32Array(data)
  for (let i = 0; i < colours.length; i++) colours[i]! /= 255
  for (const transform of transforms) change(colours, transform, random)
  // Rounds and clamps what is stored.
  const bytes = new Uint8ClampedArray(data.buffer, data.byteOffset, data.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = colours[i]! * 255
}

function change(colours: Colours, transform: Colouring, random: RandomStream): void {
  switch (transform.kind) {
    case 'lighting': {
      const alphas = [0, 1, 2].map(() => random.normal() * (transform.deviation ?? 0.1))
      light(colours, alphas)
      return
    }
    case 'colourJitter':
      for (const change of jitter(transform, random)) change(colours)
      return
    case 'inceptionColours':
      for (const change of inception(random)) change(colours)
  }
}

/** Adds the principal components, each times its alpha. */
export function light(colours: Colours, alphas: readonly number[]): void {
  const { values, vectors } = IMAGENET_COLOURS
  const [red, green, blue] = vectors.map((row) =>
    row.reduce((sum, element, i) => sum + element * alphas[i]! * values[i]!, 0),
  ) as [number, number, number]
  for (let i = 0; i < colours.length; i += 3) {
    colours[i]! += red
    colours[i + 1]! += green
    colours[i + 2]! += blue
  }
}

function jitter(transform: ColourJitter, random: RandomStream): Change[] {
  const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = transform
  const factors = [brightness, contrast, saturation].map((spread) => between(random, 1 - spread, 1 + spread))
  const turn = between(random, -hue, hue)
  const changes: Change[] = []
  if (brightness) changes.push((colours) => scaleBrightness(colours, factors[0]!))
  if (contrast) changes.push((colours) => blendContrast(colours, factors[1]!))
  if (saturation) changes.push((colours) => blendSaturation(colours, factors[2]!))
  if (hue) changes.push((colours) => turnHue(colours, turn))
  return Array.from(permutation(changes.length, random), (i) => changes[i]!)
}

/** The orders of TensorFlow's `distort_color`. */
const INCEPTION_ORDERS = [
  ['brightness', 'saturation', 'hue', 'contrast'],
  ['saturation', 'brightness', 'contrast', 'hue'],
  ['contrast', 'hue', 'brightness', 'saturation'],
  ['hue', 'saturation', 'contrast', 'brightness'],
] as const

function inception(random: RandomStream): Change[] {
  const order = INCEPTION_ORDERS[below(random, INCEPTION_ORDERS.length)]!
  const shift = between(random, -32 / 255, 32 / 255)
  const saturation = between(random, 0.5, 1.5)
  const turn = between(random, -0.2, 0.2)
  const contrast = between(random, 0.5, 1.5)
  const changes: Record<(typeof order)[number], Change> = {
    brightness: (colours) => shiftBrightness(colours, shift),
    saturation: (colours) => scaleSaturation(colours, saturation),
    hue: (colours) => turnHue(colours, turn),
    contrast: (colours) => scaleContrast(colours, contrast),
  }
  return order.map((name) => changes[name])
}

function clamped(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value
}

function luma(colours: Colours, i: number): number {
  return 0.2989 * colours[i]! + 0.587 * colours[i + 1]! + 0.114 * colours[i + 2]!
}

/** torchvision's brightness. */
export function scaleBrightness(colours: Colours, factor: number): void {
  for (let i = 0; i < colours.length; i++) colours[i] = clamped(colours[i]! * factor)
}

/** torchvision's contrast: away from the image's mean luma. */
export function blendContrast(colours: Colours, factor: number): void {
  let sum = 0
  for (let i = 0; i < colours.length; i += 3) sum += luma(colours, i)
  const mean = (3 * sum) / colours.length
  for (let i = 0; i < colours.length; i++) colours[i] = clamped(mean + (colours[i]! - mean) * factor)
}

/** torchvision's saturation: away from the pixel's own luma. */
export function blendSaturation(colours: Colours, factor: number): void {
  for (let i = 0; i < colours.length; i += 3) {
    const grey = luma(colours, i)
    for (let c = i; c < i + 3; c++) colours[c] = clamped(grey + (colours[c]! - grey) * factor)
  }
}

/** TensorFlow's brightness. */
export function shiftBrightness(colours: Colours, shift: number): void {
  for (let i = 0; i < colours.length; i++) colours[i]! += shift
}

/** TensorFlow's contrast: away from the mean of each channel. */
export function scaleContrast(colours: Colours, factor: number): void {
  for (let c = 0; c < 3; c++) {
    let sum = 0
    for (let i = c; i < colours.length; i += 3) sum += colours[i]!
    const mean = (3 * sum) / colours.length
    for (let i = c; i < colours.length; i += 3) colours[i] = mean + (colours[i]! - mean) * factor
  }
}

/** TensorFlow's saturation: the S of HSV is multiplied, so that the largest channel stays. */
export function scaleSaturation(colours: Colours, factor: number): void {
  for (let i = 0; i < colours.length; i += 3) {
    const value = Math.max(colours[i]!, colours[i + 1]!, colours[i + 2]!)
    const range = value - Math.min(colours[i]!, colours[i + 1]!, colours[i + 2]!)
    if (range === 0 || value <= 0) continue
    const scale = (clamped((range / value) * factor) * value) / range
    for (let c = i; c < i + 3; c++) colours[c] = value - (value - colours[c]!) * scale
  }
}

/** Turns the H of HSV by a fraction of the circle; the largest and the smallest channel keep their values. */
export function turnHue(colours: Colours, turn: number): void {
  const turns = 6 * (turn - Math.floor(turn))
  for (let i = 0; i < colours.length; i += 3) {
    const red = colours[i]!
    const green = colours[i + 1]!
    const blue = colours[i + 2]!
    const value = Math.max(red, green, blue)
    const range = value - Math.min(red, green, blue)
    if (range === 0) continue
    const sector =
      value === red
        ? (green - blue) / range
        : value === green
          ? (blue - red) / range + 2
          : (red - green) / range + 4
    const hue = sector + turns + 6
    colours[i] = value - range * shortfall(hue + 5)
    colours[i + 1] = value - range * shortfall(hue + 3)
    colours[i + 2] = value - range * shortfall(hue + 1)
  }
}

/** How far a channel lies below the largest, as a fraction of the range, `hue` sixths of the circle from its own. */
function shortfall(hue: number): number {
  const k = hue - 6 * Math.floor(hue / 6)
  return clamped(Math.min(k, 4 - k))
}
