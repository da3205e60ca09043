import { Graph, type Node, type Value } from '../graph/graph.js'
import type { Attributes, OpName } from '../graph/schema.js'

/** Narrows a node to one operation. */
export function isOp<Op extends OpName>(node: Node | null, op: Op): node is Node<Op> {
  return node?.op === op
}

/** Adds an operation to the graph under construction, where the rewritten node stood. */
export type Emit = <Op extends OpName>(
  op: Op,
  inputs: readonly (Value | null)[],
  attributes: Attributes<Op>,
  outputs: readonly Pick<Value, 'shape' | 'dtype'>[],
  /** Layer that it is part of. Default: that of the rewritten node. */
  path?: string,
) => readonly Value[]

/**
 * A rule of a pass: the values that replace a node's outputs, or null to leave it alone. `inputs` are the
 * operands in the new graph; `solelyUsed` tells whether nothing else reads the operand at that position.
 */
export type Rule = (
  node: Node,
  inputs: readonly (Value | null)[],
  context: { readonly emit: Emit; readonly solelyUsed: (position: number) => boolean },
) => readonly Value[] | null

/** Copies a graph, node by node in order, through the first rule that applies; what nobody reads any more is dropped. */
export function rewrite(graph: Graph, ...rules: readonly Rule[]): Graph {
  const result = new Graph(graph.mode, graph.frozen)
  const uses = countUses(graph)
  const mapped = new Map<Value, Value>()
  for (const [name, value] of graph.inputs) mapped.set(value, result.input(name, value.shape, value.dtype))
  for (const [name, value] of graph.parameters)
    mapped.set(value, result.parameter({ name, shape: value.shape }))
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => input && mapped.get(input)!)
    const emit: Emit = (op, operands, attributes, outputs, path = node.path) =>
      result.add(op, operands, attributes, outputs, path, node.phase)
    const context = {
      emit,
      solelyUsed: (position: number) => {
        const input = node.inputs[position]
        return !!input && uses.get(input) === 1
      },
    }
    let replacement: readonly Value[] | null = null
    for (const rule of rules) {
      replacement = rule(node, inputs, context)
      if (replacement) break
    }
    replacement ??= emit(node.op, inputs, node.attributes, node.outputs)
    node.outputs.forEach((output, i) => mapped.set(output, replacement[i]!))
  }
  for (const [name, value] of graph.outputs) result.outputs.set(name, mapped.get(value)!)
  return prune(result)
}

function countUses(graph: Graph): Map<Value, number> {
  const uses = new Map<Value, number>()
  const count = (value: Value | null) => value && uses.set(value, (uses.get(value) ?? 0) + 1)
  for (const node of graph.nodes) node.inputs.forEach(count)
  for (const output of graph.outputs.values()) count(output)
  return uses
}

/** Removes nodes and parameters that no output and no update depends on. */
function prune(graph: Graph): Graph {
  const needed = new Set<Value>(graph.outputs.values())
  const kept = graph.nodes
    .toReversed()
    .filter((node) => {
      const keep = node.phase === 'update' || node.outputs.some((output) => needed.has(output))
      if (keep) for (const input of node.inputs) if (input) needed.add(input)
      return keep
    })
    .toReversed()
  graph.nodes.splice(0, graph.nodes.length, ...kept)
  for (const [name, value] of graph.parameters) if (!needed.has(value)) graph.parameters.delete(name)
  return graph
}
