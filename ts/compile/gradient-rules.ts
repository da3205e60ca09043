import type { Node, Value } from '../graph/graph.js'
import type { OpName } from '../graph/schema.js'
import type { Emit } from './rewrite.js'

/** What a rule may do and ask. */
export interface GradientContext {
  readonly emit: Emit
  /** Whether the gradient of the input at a position is needed at all. */
  readonly wants: (position: number) => boolean
}

/** The gradients of a node's inputs, given that of its first output; missing ones are zero or not wanted. */
export type GradientRule<Op extends OpName> = (
  node: Node<Op>,
  dy: Value,
  context: GradientContext,
) => readonly (Value | null)[]

const RELU = { kind: 'relu', alpha: 1, beta: 1 } as const

/** The gradient before a fused activation, which the result itself tells. */
function beforeActivation(
  { attributes, outputs: [y] }: Node<'convolution' | 'linear' | 'add'>,
  dy: Value,
  emit: Emit,
): Value {
  return attributes.activation === 'relu' ? emit('elementwiseBackward', [dy, y!], RELU, [y!])[0]! : dy
}

/** The backward half of every operation, by name. Operands are those of `native/ops.h`. */
export const gradientRules: { readonly [Op in OpName]?: GradientRule<Op> } = {
  convolution: (node, dy, { emit, wants }) => {
    const [x, weight, bias, residual] = node.inputs
    const { stride, padding, dilation, groups } = node.attributes
    const geometry = { stride, padding, dilation, groups }
    const dz = beforeActivation(node, dy, emit)
    const dx = wants(0) ? emit('convolutionBackwardData', [dz, weight!], geometry, [x!])[0]! : null
    if (!wants(1) && !wants(2)) return [dx, null, null, residual ? dz : null]
    const outputs = bias && wants(2) ? [weight!, bias] : [weight!]
    const [dweight, dbias] = emit('convolutionBackwardWeights', [x!, dz], geometry, outputs)
    return [dx, dweight!, dbias ?? null, residual ? dz : null]
  },
  linear: (node, dy, { emit, wants }) => {
    const [x, weight, bias] = node.inputs
    const dz = beforeActivation(node, dy, emit)
    const dx = wants(0) ? emit('linearBackwardData', [dz, weight!], {}, [x!])[0]! : null
    if (!wants(1) && !wants(2)) return [dx]
    const outputs = bias && wants(2) ? [weight!, bias] : [weight!]
    const [dweight, dbias] = emit('linearBackwardWeights', [x!, dz], {}, outputs)
    return [dx, dweight!, dbias ?? null]
  },
  pooling: ({ inputs: [x], outputs: [, workspace], attributes }, dy, { emit }) =>
    emit('poolingBackward', [dy, workspace ?? null], attributes, [x!]),
  adaptiveAveragePooling: ({ inputs: [x] }, dy, { emit }) =>
    emit('adaptiveAveragePoolingBackward', [dy], {}, [x!]),
  batchNormTraining: ({ inputs, outputs, attributes }, dy, { emit }) => {
    const [x, gamma, beta] = inputs
    const [, mean, variance] = outputs
    const { eps, activation } = attributes
    return emit(
      'batchNormBackward',
      [x!, dy, gamma!, beta!, mean!, variance!],
      { eps, activation, runningStatistics: false },
      [x!, gamma!, beta!],
    )
  },
  batchNorm: ({ inputs: [x, gamma, beta, mean, variance], attributes }, dy, { emit }) =>
    emit(
      'batchNormBackward',
      [x!, dy, gamma!, beta!, mean!, variance!],
      { ...attributes, runningStatistics: true },
      [x!],
    ),
  localResponseNorm: ({ inputs: [x], outputs: [, workspace], attributes }, dy, { emit }) =>
    emit('localResponseNormBackward', [x!, dy, workspace!], attributes, [x!]),
  elementwise: ({ inputs: [x], outputs: [y], attributes }, dy, { emit }) =>
    emit('elementwiseBackward', [dy, attributes.kind === 'linear' ? null : y!], attributes, [x!]),
  add: (node, dy, { emit }) => {
    const dz = beforeActivation(node, dy, emit)
    return [dz, dz]
  },
  scaleChannels: ({ inputs: [x, coefficient, bias] }, dy, { emit }) =>
    emit(
      'scaleChannelsBackward',
      [x!, coefficient!, dy],
      {},
      bias ? [x!, coefficient!, bias] : [x!, coefficient!],
    ),
  softmax: ({ inputs: [x], outputs: [y], attributes }, dy, { emit }) =>
    emit('softmaxBackward', [dy, y!], attributes, [x!]),
  dropout: ({ inputs: [x, random], attributes }, dy, { emit }) =>
    emit('dropout', [dy, random!], attributes, [x!]),
  radialBasis: ({ inputs: [x, centres] }, dy, { emit, wants }) =>
    emit('radialBasisBackward', [x!, centres!, dy], {}, wants(1) ? [x!, centres!] : [x!]),
  concat: ({ inputs }, dy, { emit, wants }) => {
    let start = 0
    return inputs.map((input, i) => {
      const begin = start
      start += input!.channels
      return wants(i) ? emit('slice', [dy], { start: begin }, [input!])[0]! : null
    })
  },
  slice: ({ inputs: [x], attributes }, dy, { emit }) => emit('sliceBackward', [dy], attributes, [x!]),
  subsamplePad: ({ inputs: [x], attributes }, dy, { emit }) =>
    emit('subsamplePadBackward', [dy], attributes, [x!]),
  pad: ({ inputs: [x], attributes }, dy, { emit }) => emit('padBackward', [dy], attributes, [x!]),
  reshape: ({ inputs: [x] }, dy, { emit }) => emit('reshape', [dy], {}, [x!]),
  // A row that no index names has no gradient, and none is read twice.
  scatterRows: ({ inputs: [x], attributes }, dy, { emit }) => emit('gatherRows', [dy], attributes, [x!]),
}
