import { crc32 } from 'node:zlib'
import { sameShape } from '../../tensor.js'
import type { Value } from '../graph.js'
import type { Attributes } from '../schema.js'

function elementwise<C extends number>(
  x: Value<C>,
  kind: Attributes<'elementwise'>['kind'],
  alpha: number,
  beta: number,
): Value<C> {
  return x.graph.add('elementwise', [x], { kind, alpha, beta }, [x])[0] as Value<C>
}

/** max(x, 0) */
export function relu<C extends number>(x: Value<C>): Value<C> {
  return elementwise(x, 'relu', 1, 1)
}

/** 1 / (1 + e^-x) */
export function sigmoid<C extends number>(x: Value<C>): Value<C> {
  return elementwise(x, 'sigmoid', 1, 1)
}

/** Hyperbolic tangent. */
export function tanh<C extends number>(x: Value<C>): Value<C> {
  return elementwise(x, 'tanh', 1, 1)
}

/** 1.7159 tanh(2x / 3), the squashing function of LeCun et al. 1998, appendix A. */
export function scaledTanh<C extends number>(x: Value<C>): Value<C> {
  return elementwise(x, 'tanh', 1.7159, 2 / 3)
}

/** scale * x + offset, with two constants. */
export function affine<C extends number>(x: Value<C>, scale: number, offset = 0): Value<C> {
  return elementwise(x, 'linear', scale, offset)
}

/**
 * Sum of two values of one shape.
 * @throws ShapeError when the shapes differ
 */
export function add<C extends number>(a: Value<C>, b: Value<C>): Value<C> {
  if (!sameShape(a.shape, b.shape)) throw a.graph.shapeError('add', `[${a.shape.join(', ')}]`, b.shape)
  return a.graph.add('add', [a, b], { activation: 'none' }, [a])[0] as Value<C>
}

/**
 * x * coefficient[c] + bias[c], a channel at a time.
 *
 * @param coefficient - `[C]`
 * @param bias - `[C]`
 */
export function scaleChannels<C extends number>(
  x: Value<C>,
  coefficient: Value,
  bias: Value | null = null,
): Value<C> {
  for (const operand of [coefficient, bias])
    if (operand && !sameShape(operand.shape, [x.channels]))
      throw x.graph.shapeError('scaleChannels', `coefficients of shape [${x.channels}]`, operand.shape)
  return x.graph.add('scaleChannels', [x, coefficient, bias], {}, [x])[0] as Value<C>
}

/** Softmax over axis 1. */
export function softmax<C extends number>(x: Value<C>): Value<C> {
  return x.graph.add('softmax', [x], { log: false }, [x])[0] as Value<C>
}

/** Logarithm of the softmax over axis 1. */
export function logSoftmax<C extends number>(x: Value<C>): Value<C> {
  return x.graph.add('softmax', [x], { log: true }, [x])[0] as Value<C>
}

/**
 * Zeroes elements with probability `p` and scales the others by 1 / (1 - p), in training; the same elements for
 * the same seed, step and layer (Srivastava et al. 2014).
 */
export function dropout<C extends number>(x: Value<C>, p: number): Value<C> {
  if (x.graph.mode === 'evaluation' || p === 0) return x
  return x.graph.add('dropout', [x, x.graph.random()], { p, stream: crc32(x.graph.path) }, [x])[0] as Value<C>
}

/**
 * Squared Euclidean distances to a set of centres: the output units of LeNet-5 (LeCun et al. 1998, equation 7).
 *
 * @param x - `[N, I]`
 * @param centres - `[O, I]`
 * @returns `[N, O]`
 */
export function radialBasis(x: Value, centres: Value): Value {
  const [o, i] = centres.shape
  if (x.shape.length !== 2 || x.shape[1] !== i) throw x.graph.shapeError('radialBasis', `[N, ${i}]`, x.shape)
  return x.graph.add('radialBasis', [x, centres], {}, [{ shape: [x.shape[0]!, o!], dtype: x.dtype }])[0]!
}
