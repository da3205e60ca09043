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
