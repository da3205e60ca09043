import type { Value } from '../graph.js'
import { imageShape, toEdges, type Padding2d } from './geometry.js'

/**
 * Joins images along channels.
 * @throws ShapeError when batch, height or width differ
 */
export function concat(values: readonly Value[]): Value {
  const first = values[0]!
  if (values.length === 1) return first
  const [n, , height, width] = imageShape('concat', first)
  for (const value of values) {
    const shape = imageShape('concat', value)
    if (shape[0] !== n || shape[2] !== height || shape[3] !== width)
      throw first.graph.shapeError('concat', `[${n}, any, ${height}, ${width}]`, value.shape)
  }
  const channels = values.reduce((sum, value) => sum + value.channels, 0)
  return first.graph.add('concat', values, {}, [
    { shape: [n, channels, height, width], dtype: first.dtype },
  ])[0]!
}

/**
 * Channels `start` to `end` (exclusive).
 * @throws ShapeError when they are not inside x
 */
export function sliceChannels(x: Value, start: number, end: number): Value {
  const [n, c, height, width] = imageShape('slice', x)
  if (start < 0 || end > c || start >= end)
    throw x.graph.shapeError('slice', `channels within 0 to ${c}`, `${start} to ${end}`)
  return x.graph.add('slice', [x], { start }, [
    { shape: [n, end - start, height, width], dtype: x.dtype },
  ])[0]!
}

/**
 * Every `stride`-th pixel, with zero channels put before and behind: the parameter-free shortcut that
 * He et al. 2015 call option A.
 *
 * @param channels - channels of the result; the zeros are split evenly, the odd one behind
 */
export function subsamplePad(x: Value, stride: number, channels: number): Value {
  const [n, c, height, width] = imageShape('subsample', x)
  if (channels < c) throw x.graph.shapeError('subsample', `at most ${channels} channels`, `${c}`)
  const before = Math.floor((channels - c) / 2)
  const shape = [n, channels, Math.ceil(height / stride), Math.ceil(width / stride)]
  return x.graph.add('subsamplePad', [x], { stride, before }, [{ shape, dtype: x.dtype }])[0]!
}

/** Surrounds images with a constant. */
export function pad(x: Value, padding: Padding2d, value = 0): Value {
  const [n, c, height, width] = imageShape('pad', x)
  const edges = toEdges(padding)
  const shape = [n, c, height + edges[0] + edges[2], width + edges[1] + edges[3]]
  return x.graph.add('pad', [x], { padding: edges, value }, [{ shape, dtype: x.dtype }])[0]!
}

export interface ImageNormalization {
  /** Per output channel: `x[order[c]] * scale[c] + bias[c]`. */
  readonly scale: readonly number[]
  readonly bias: readonly number[]
  readonly order: readonly number[]
}

/**
 * uint8 images as decoders give them to float planes.
 *
 * @param x - u8 `[N, H, W, C]`
 * @returns f32 `[N, C, H, W]`
 */
export function normalizeImage(x: Value, { scale, bias, order }: ImageNormalization): Value {
  const [n, height, width, c] = imageShape('normalizeImage', x)
  if (x.dtype !== 'u8' || order.some((channel) => channel < 0 || channel >= c))
    throw x.graph.shapeError('normalizeImage', 'u8 [N, H, W, C]', x.shape)
  return x.graph.add('normalizeImage', [x], { scale, bias, order }, [
    { shape: [n, order.length, height, width], dtype: 'f32' },
  ])[0]!
}
