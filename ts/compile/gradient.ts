import { UnsupportedError } from '../errors.js'
import type { Graph, Node, Value } from '../graph/graph.js'
import type { OpName } from '../graph/schema.js'
import type { Emit } from './rewrite.js'

/**
 * The gradients of a node's inputs, given those of its outputs. `wants` tells whether the gradient of the input
 * at a position is needed at all.
 */
type GradientRule<Op extends OpName> = (
  node: Node<Op>,
  gradients: readonly (Value | null)[],
  context: { readonly emit: Emit; readonly wants: (position: number) => boolean },
) => readonly (Value | null)[]

const rules: { readonly [Op in OpName]?: GradientRule<Op> } = {
  convolution: ({ inputs: [x, weight, bias], attributes }, [dy], { emit, wants }) => {
    const { stride, padding, dilation, groups } = attributes
    const geometry = { stride, padding, dilation, groups }
    const dx = wants(0) ? emit('convolutionBackwardData', [dy!, weight!], geometry, [x!])[0]! : null
    if (!wants(1) && !wants(2)) return [dx]
    const weights = emit(
      'convolutionBackwardWeights',
      [x!, dy!],
      geometry,
      bias ? [weight!, bias] : [weight!],
    )
    return [dx, weights[0]!, weights[1] ?? null]
  },
  linear: ({ inputs: [x, weight, bias] }, [dy], { emit, wants }) => {
    const dx = wants(0) ? emit('linearBackwardData', [dy!, weight!], {}, [x!])[0]! : null
    if (!wants(1) && !wants(2)) return [dx]
    const weights = emit('linearBackwardWeights', [x!, dy!], {}, bias ? [weight!, bias] : [weight!])
    return [dx, weights[0]!, weights[1] ?? null]
  },
  pooling: ({ inputs: [x], outputs: [, workspace], attributes }, [dy], { emit }) =>
    emit('poolingBackward', [dy!, workspace ?? null], attributes, [x!]),
  elementwise: ({ inputs: [x], outputs: [y], attributes }, [dy], { emit }) =>
    emit('elementwiseBackward', [dy!, attributes.kind === 'linear' ? null : y!], attributes, [x!]),
  add: (_node, [dy]) => [dy!, dy!],
  scaleChannels: ({ inputs: [x, coefficient, bias] }, [dy], { emit }) =>
    emit(
      'scaleChannelsBackward',
      [x!, coefficient!, dy!],
      {},
      bias ? [x!, coefficient!, bias] : [x!, coefficient!],
    ),
  reshape: ({ inputs: [x] }, [dy], { emit }) => emit('reshape', [dy!], {}, [x!]),
  scatterRows: ({ inputs: [x], attributes }, [dy], { emit }) => emit('gatherRows', [dy!], attributes, [x!]),
}

/**
 * Appends the backward half: gradients of `wanted` (parameters, or the input), given those of some values.
 * What nobody asked for is not computed. A value that is used twice gets the sum.
 *
 * @throws UnsupportedError for an operation that has no gradient
 */
export function differentiate(
  graph: Graph,
  seeds: ReadonlyMap<Value, Value>,
  wanted: Iterable<Value>,
): Map<Value, Value> {
  const forward = [...graph.nodes]
  const needed = new Set<Value>(wanted)
  for (const node of forward)
    if (node.inputs.some((input) => input && needed.has(input)))
      for (const output of node.outputs) needed.add(output)

  const gradients = new Map(seeds)
  graph.phase = 'backward'
  for (const node of forward.toReversed()) {
    const given = node.outputs.map((output) => gradients.get(output) ?? null)
    const wants = (position: number) => {
      const input = node.inputs[position]
      return !!input && needed.has(input)
    }
    if (given.every((gradient) => gradient === null) || !node.inputs.some((_, i) => wants(i))) continue
    const emit: Emit = (op, inputs, attributes, outputs) =>
      graph.add(op, inputs, attributes, outputs, node.path)
    const rule = rules[node.op] as GradientRule<OpName> | undefined
    if (!rule)
      throw new UnsupportedError(`${node.op} at ${node.path} has no gradient`, { subject: node.path })
    const found = rule(node, given, { emit, wants })
    node.inputs.forEach((input, i) => {
      const gradient = found[i]
      if (!input || !gradient || !wants(i)) return
      const sum = gradients.get(input)
      gradients.set(input, sum ? emit('add', [sum, gradient], { activation: 'none' }, [input])[0]! : gradient)
    })
  }
  return gradients
}
