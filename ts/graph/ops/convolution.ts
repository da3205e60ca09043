import type { Value } from '../graph.js'
import { imageShape, toEdges, toPair, windowed, type Padding2d, type Size2d } from './geometry.js'

export interface ConvolutionOptions {
  readonly bias?: Value | null
  /** Default 1. */
  readonly stride?: Size2d
  /** Default 0. */
  readonly padding?: Padding2d
  /** Default 1, which is dense. */
  readonly dilation?: Size2d
  /** Default 1. */
  readonly groups?: number
}

/**
 * Two-dimensional cross-correlation.
 *
 * @param x - `[N, C, H, W]`
 * @param weight - `[O, C / groups, kh, kw]`
 * @returns `[N, O, H', W']`
 * @throws ShapeError when channels do not meet or the image is smaller than the kernel
 */
export function convolution(x: Value, weight: Value, options: ConvolutionOptions = {}): Value {
  const { bias = null, groups = 1 } = options
  const stride = toPair(options.stride ?? 1)
  const padding = toEdges(options.padding ?? 0)
  const dilation = toPair(options.dilation ?? 1)
  const [n, c] = imageShape('convolution', x)
  const [o, ci, kh, kw] = imageShape('convolution weight', weight)
  if (ci * groups !== c || o % groups !== 0)
    throw x.graph.shapeError(
      'convolution',
      `${ci * groups} input channels (weight [${weight.shape.join(', ')}], groups ${groups})`,
      `${c}`,
    )
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== o))
    throw x.graph.shapeError('convolution', `a bias of shape [${o}]`, bias.shape)
  const extent = [dilation[0] * (kh - 1) + 1, dilation[1] * (kw - 1) + 1] as const
  const [rows, columns] = windowed('convolution', x, extent, stride, padding)
  const attributes = { stride, padding, dilation, groups, activation: 'none' } as const
  return x.graph.add('convolution', [x, weight, bias, null], attributes, [
    { shape: [n, o, rows, columns], dtype: x.dtype },
  ])[0]!
}

/**
 * Lays the kernels of a connection table into a dense weight: row `r` of `kernels` goes to row `indices[r]`.
 *
 * @param kernels - `[K, kh, kw]`, one kernel a connection
 * @param indices - for each kernel, `output * inputs + input`
 * @returns `[outputs, inputs, kh, kw]`, zero where nothing is connected
 */
export function connect(kernels: Value, indices: readonly number[], outputs: number, inputs: number): Value {
  const [count, kh, kw] = kernels.shape
  if (kernels.shape.length !== 3 || count !== indices.length)
    throw kernels.graph.shapeError('connect', `[${indices.length}, kh, kw]`, kernels.shape)
  return kernels.graph.add('scatterRows', [kernels], { indices }, [
    { shape: [outputs, inputs, kh!, kw!], dtype: kernels.dtype },
  ])[0]!
}
