import { UnsupportedError } from '../errors.js'
import type { Graph, Value } from '../graph/graph.js'
import type { OpName } from '../graph/schema.js'
import { Checkpointing } from './checkpointing.js'
import { gradientRules, type GradientRule } from './gradient-rules.js'
import type { Emit } from './rewrite.js'

/**
 * Appends the backward half: gradients of `wanted` (parameters, or the input), given those of some values.
 * What nobody asked for is not computed. A value that is used several times gets the sum.
 *
 * @param checkpointing - keep fewer activations and compute the others anew
 * @throws UnsupportedError for an operation that has no gradient
 */
export function differentiate(
  graph: Graph,
  seeds: ReadonlyMap<Value, Value>,
  wanted: Iterable<Value>,
  { checkpointing = false }: { readonly checkpointing?: boolean } = {},
): Map<Value, Value> {
  const forward = [...graph.nodes]
  const needed = new Set<Value>(wanted)
  for (const node of forward)
    if (node.inputs.some((input) => input && needed.has(input)))
      for (const output of node.outputs) needed.add(output)

  const checkpoints = checkpointing ? new Checkpointing(graph) : null
  const gradients = new Map(seeds)
  graph.phase = 'backward'
  for (const node of forward.toReversed()) {
    const dy = gradients.get(node.outputs[0]!)
    const wants = (position: number) => {
      const input = node.inputs[position]
      return !!input && needed.has(input)
    }
    if (!dy || !node.inputs.some((_, i) => wants(i))) continue
    const rule = gradientRules[node.op] as GradientRule<OpName> | undefined
    if (!rule)
      throw new UnsupportedError(`${node.op} at ${node.path} has no gradient`, { subject: node.path })
    const emit: Emit = (op, inputs, attributes, outputs, path = node.path) =>
      graph.add(op, inputs, attributes, outputs, path)
    const found = rule(checkpoints?.revisited(node) ?? node, dy, { emit, wants })
    node.inputs.forEach((input, i) => {
      const gradient = found[i]
      if (!input || !gradient || !wants(i)) return
      const sum = gradients.get(input)
      gradients.set(input, sum ? emit('add', [sum, gradient], { activation: 'none' }, [input])[0]! : gradient)
    })
  }
  return gradients
}
