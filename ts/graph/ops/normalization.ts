import { InvalidArgumentError } from '../../errors.js'
import { elementCount, sameShape } from '../../tensor.js'
import type { Value } from '../graph.js'

export interface BatchNormOperands {
  /** All `[C]`. */
  readonly gamma: Value
  readonly beta: Value
  readonly mean: Value
  readonly variance: Value
  readonly eps: number
  /** Weight of the new batch in the running statistics. */
  readonly momentum: number
}

/**
 * gamma * (x - mean) / sqrt(variance + eps) + beta (Ioffe and Szegedy 2015). At inference, and where gamma and
 * beta are frozen, with running statistics; in training with those of the batch, which update the running ones:
 * the mean, and the unbiased variance.
 *
 * @param x - `[N, C, H, W]` or `[N, C]`
 * @throws ShapeError when an operand is not `[C]`, or when a batch in training has one value a channel
 */
export function batchNorm<C extends number>(x: Value<C>, operands: BatchNormOperands): Value<C> {
  const { gamma, beta, mean, variance, eps, momentum } = operands
  const { graph } = x
  for (const operand of [gamma, beta, mean, variance])
    if (!sameShape(operand.shape, [x.channels]))
      throw graph.shapeError('batch norm', `${operand.shape[0]} channels`, `${x.channels}`)
  const frozen = graph.frozen.has(gamma.name) && graph.frozen.has(beta.name)
  if (graph.mode === 'evaluation' || frozen)
    return graph.add('batchNorm', [x, gamma, beta, mean, variance], { eps, activation: 'none' }, [
      x,
    ])[0] as Value<C>
  if (elementCount(x.shape) === x.channels)
    throw graph.shapeError('batch norm in training', 'more than one value a channel', x.shape)
  return graph.add(
    'batchNormTraining',
    [x, gamma, beta, mean, variance],
    { eps, momentum, activation: 'none' },
    [x, mean, variance, mean, variance],
  )[0] as Value<C>
}

export interface LocalResponseNormOptions {
  /** Number of neighbouring channels, the middle one included: an odd number. Default 5. */
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
 *
 * @throws InvalidArgumentError for an even size, which has no middle: libraries disagree on what it means
 */
export function localResponseNorm<C extends number>(
  x: Value<C>,
  options: LocalResponseNormOptions = {},
): Value<C> {
  const { size = 5, alpha = 1e-4, beta = 0.75, k = 2, divideAlpha = false } = options
  if (!Number.isInteger(size) || size < 1 || size % 2 === 0)
    throw new InvalidArgumentError(`the size of a local response norm must be odd, got ${size}`, {
      subject: x.graph.path,
      expected: 'an odd number',
      got: String(size),
    })
  const attributes = { size, alpha: divideAlpha ? alpha : alpha * size, beta, k }
  const outputs = x.graph.mode === 'training' ? [x, { shape: [], dtype: 'opaque' as const }] : [x]
  return x.graph.add('localResponseNorm', [x], attributes, outputs)[0] as Value<C>
}
