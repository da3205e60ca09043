import { UnsupportedError } from '../../errors.js'
import type { Value } from '../graph.js'
import type { Edges, Pair } from '../schema.js'
import { imageShape, toEdges, toPair, windowed, type Padding2d, type Size2d } from './geometry.js'

export interface PoolingOptions {
  readonly kernel: Size2d
  /** Default: the kernel, so that windows do not overlap. */
  readonly stride?: Size2d
  /** Default 0. */
  readonly padding?: Padding2d
  /** Round the output size up, as the networks of Caffe do. Default false. */
  readonly ceilMode?: boolean
}

export interface AveragePoolingOptions extends PoolingOptions {
  /** Whether padding counts in the divisor. Default true, as in PyTorch. */
  readonly countPadding?: boolean
}

interface Window {
  readonly kernel: Pair
  readonly stride: Pair
  readonly padding: Edges
  readonly output: Pair
}

function poolingWindow(op: string, x: Value, options: PoolingOptions): Window {
  const kernel = toPair(options.kernel)
  const stride = toPair(options.stride ?? kernel)
  const padding = toEdges(options.padding ?? 0)
  if (!options.ceilMode) return { kernel, stride, padding, output: windowed(op, x, kernel, stride, padding) }
  const [, , height, width] = imageShape(op, x)
  const [top, left, bottom, right] = padding
  const reach = [top, left, bottom + stride[0] - 1, right + stride[1] - 1] as const
  const rounded = windowed(op, x, kernel, stride, reach)
  // A window that would start in the padding behind the image is left out.
  const kept = (count: number, step: number, size: number, before: number) =>
    (count - 1) * step >= size + before ? count - 1 : count
  const rows = kept(rounded[0], stride[0], height, top)
  const columns = kept(rounded[1], stride[1], width, left)
  const below = Math.max(0, (rows - 1) * stride[0] + kernel[0] - height - top)
  const beside = Math.max(0, (columns - 1) * stride[1] + kernel[1] - width - left)
  return { kernel, stride, padding: [top, left, below, beside], output: [rows, columns] }
}

/**
 * Maximum over windows; padding never wins.
 *
 * @param x - `[N, C, H, W]`
 * @throws ShapeError when the image is smaller than the window
 */
export function maxPool(x: Value, options: PoolingOptions): Value {
  const { kernel, stride, padding, output } = poolingWindow('max pooling', x, options)
  const [n, c] = imageShape('max pooling', x)
  const y = { shape: [n, c, ...output], dtype: x.dtype }
  const outputs = x.graph.mode === 'training' ? [y, { shape: [], dtype: 'opaque' as const }] : [y]
  return x.graph.add(
    'pooling',
    [x],
    { kind: 'max', kernel, stride, padding, countPadding: false },
    outputs,
  )[0]!
}

/**
 * Mean over windows.
 *
 * @param x - `[N, C, H, W]`
 * @throws ShapeError when the image is smaller than the window
 * @throws UnsupportedError for a rounded-up size whose last window reaches past counted padding
 */
export function averagePool(x: Value, options: AveragePoolingOptions): Value {
  const { countPadding = true } = options
  const { kernel, stride, padding, output } = poolingWindow('average pooling', x, options)
  const declared = toEdges(options.padding ?? 0)
  if (countPadding && (padding[2] > declared[2] || padding[3] > declared[3]))
    throw new UnsupportedError(
      'average pooling with ceilMode reaches past the padding here: set countPadding to false',
      { subject: x.graph.path },
    )
  const [n, c] = imageShape('average pooling', x)
  return x.graph.add('pooling', [x], { kind: 'average', kernel, stride, padding, countPadding }, [
    { shape: [n, c, ...output], dtype: x.dtype },
  ])[0]!
}

/**
 * Mean over as many bins as the output has elements: bin i covers `floor(i * H / h)` to `ceil((i + 1) * H / h)`.
 *
 * @param x - `[N, C, H, W]`
 * @param size - output height and width
 */
export function adaptiveAveragePool(x: Value, size: Size2d): Value {
  const [n, c, height, width] = imageShape('adaptive average pooling', x)
  const [rows, columns] = toPair(size)
  if (rows === height && columns === width) return x
  if (height % rows === 0 && width % columns === 0)
    return averagePool(x, { kernel: [height / rows, width / columns] })
  return x.graph.add('adaptiveAveragePooling', [x], {}, [
    { shape: [n, c, rows, columns], dtype: x.dtype },
  ])[0]!
}

/** Mean over height and width: `[N, C, H, W]` to `[N, C, 1, 1]`. */
export function globalAveragePool(x: Value): Value {
  return adaptiveAveragePool(x, 1)
}
