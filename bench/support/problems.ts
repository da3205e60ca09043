import type { Problem } from '../../ts/runtime/work.js'
import type { Spec } from '../../ts/graph/graph.js'

/** Attributes that the time of an operation depends on. */
const COUNTED = new Set([
  'stride',
  'padding',
  'dilation',
  'groups',
  'activation',
  'kind',
  'kernel',
  'countPadding',
  'size',
  'start',
  'before',
  'runningStatistics',
  'log',
  'momentum',
  'nesterov',
  'decoupled',
])

/**
 * An operation on operands of some shapes as one line, the same wherever it comes from; bench/native reads it:
 * `convolution in=1x3x224x224,64x3x7x7,64,- out=1x64x112x112 stride=2x2 padding=3x3x3x3 ...`
 */
export function spell({ op, attributes, inputs, outputs }: Problem): string {
  const words = Object.entries(attributes as Readonly<Record<string, unknown>>)
    .filter(([name]) => COUNTED.has(name))
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join('x') : String(value)}`)
  return [op, `in=${inputs.map(shape).join(',')}`, `out=${outputs.map(shape).join(',')}`, ...words].join(' ')
}

function shape(operand: Spec | null): string {
  if (operand === null) return '-'
  const text = operand.shape.join('x')
  return operand.dtype === 'f32' || operand.dtype === 'opaque' ? text : `${operand.dtype}:${text}`
}
