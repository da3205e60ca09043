import type { Value } from '../graph.js'
import type { Edges, Pair } from '../schema.js'

/** One number for both directions, or `[height, width]`. */
export type Size2d = number | Pair

/**
 * One number for all edges, `[height, width]`, or `[top, left, bottom, right]`.
 */
export type Padding2d = number | Pair | Edges

export function toPair(size: Size2d): Pair {
  return typeof size === 'number' ? [size, size] : size
}

export function toEdges(padding: Padding2d): Edges {
  if (typeof padding === 'number') return [padding, padding, padding, padding]
  return padding.length === 2 ? [padding[0], padding[1], padding[0], padding[1]] : padding
}

/** `[N, C, H, W]` of an image value; throws a ShapeError for any other rank. */
export function imageShape(op: string, x: Value): readonly [number, number, number, number] {
  if (x.shape.length !== 4) throw x.graph.shapeError(op, '[N, C, H, W]', x.shape)
  return x.shape as readonly [number, number, number, number]
}

/** Height and width that are left for a window of the given extent. */
export function windowed(op: string, x: Value, extent: Pair, stride: Pair, padding: Edges): Pair {
  const [, , height, width] = imageShape(op, x)
  const [top, left, bottom, right] = padding
  const rows = Math.floor((height + top + bottom - extent[0]) / stride[0]) + 1
  const columns = Math.floor((width + left + right - extent[1]) / stride[1]) + 1
  if (height + top + bottom < extent[0] || width + left + right < extent[1])
    throw x.graph.shapeError(
      op,
      `an image of at least ${Math.max(1, extent[0] - top - bottom)} x ${Math.max(1, extent[1] - left - right)} (height x width)`,
      `${height} x ${width}`,
    )
  return [rows, columns]
}
