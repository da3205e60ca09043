import { elementCount } from '../../tensor.js'
import type { Value } from '../graph.js'

/**
 * x weight^T + bias.
 *
 * @param x - `[N, I]`
 * @param weight - `[O, I]`
 * @param bias - `[O]`
 * @returns `[N, O]`
 * @throws ShapeError when the features do not meet
 */
export function linear(x: Value, weight: Value, bias: Value | null = null): Value {
  const [o, i] = weight.shape
  if (x.shape.length !== 2 || x.shape[1] !== i) throw x.graph.shapeError('linear', `[N, ${i}]`, x.shape)
  return x.graph.add('linear', [x, weight, bias], { activation: 'none' }, [
    { shape: [x.shape[0]!, o!], dtype: x.dtype },
  ])[0]!
}

/** `[N, C, H, W]` to `[N, C * H * W]`. */
export function flatten(x: Value): Value {
  return x.shape.length === 2 ? x : reshape(x, [x.shape[0]!, elementCount(x.shape.slice(1))])
}

/**
 * The same elements, in row-major order, in another shape.
 * @throws ShapeError when the number of elements differs
 */
export function reshape(x: Value, shape: readonly number[]): Value {
  if (elementCount(shape) !== elementCount(x.shape))
    throw x.graph.shapeError('reshape', `${elementCount(shape)} elements`, x.shape)
  return x.graph.add('reshape', [x], {}, [{ shape, dtype: x.dtype }])[0]!
}
