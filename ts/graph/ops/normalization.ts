import { sameShape } from '../../tensor.js'
import type { Value } from '../graph.js'
import { UnsupportedError } from '../../errors.js'

export interface BatchNormOperands {
  /** All `[C]`. */
  readonly gamma: Value
  readonly beta: Value
  readonly mean: Value
  readonly variance: Value
  readonly eps: number
}

/**
 * gamma * (x - mean) / sqrt(variance + eps) + beta, with running statistics (Ioffe and Szegedy 2015).
 *
 * @param x - `[N, C, H, W]` or `[N, C]`
 * @throws ShapeError when an operand is not `[C]`
 */
export function batchNorm<C extends number>(x: Value<C>, operands: BatchNormOperands): Value<C> {
  const { gamma, beta, mean, variance, eps } = operands
  for (const operand of [gamma, beta, mean, variance])
    if (!sameShape(operand.shape, [x.channels]))
      throw x.graph.shapeError('batch norm', `${operand.shape[0]} channels`, `${x.channels}`)
  if (x.graph.mode === 'training')
    throw new UnsupportedError('batch norm has no training mode yet', { subject: x.graph.path })
  return x.graph.add('batchNorm', [x, gamma, beta, mean, variance], { eps, activation: 'none' }, [
    x,
  ])[0] as Value<C>
}

export interface LocalResponseNormOptions {
  /** Number of neighbouring channels. Default 5. */
  readonly size?: number
  /** Default 1e-4. */
  readonly alpha?: number
  /** Default 0.75. */
  readonly beta?: number
  /** Default 2, as in the paper. */
  readonly k?: number
  /**
   * Whether `alpha` is divided by `size` before use. The paper's is not (the default here); Caffe's and
   * PyTorch's is.
   */
  readonly divideAlpha?: boolean
}

/**
 * Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3):
 * x / (k + alpha * sum of squares of `size` neighbours)^beta.
 */
export function localResponseNorm<C extends number>(
  x: Value<C>,
  options: LocalResponseNormOptions = {},
): Value<C> {
  const { size = 5, alpha = 1e-4, beta = 0.75, k = 2, divideAlpha = false } = options
  return x.graph.add('localResponseNorm', [x], { size, alpha: divideAlpha ? alpha : alpha * size, beta, k }, [
    x,
  ])[0] as Value<C>
}
