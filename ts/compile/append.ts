import type { Value } from '../graph/graph.js'
import { isOp, type Rule } from './rewrite.js'

/** What a concatenation is made of, seen through the ones that it begins with. */
function partsOf(value: Value): readonly Value[] {
  const { producer } = value
  if (!isOp(producer, 'concat')) return [value]
  const [first, ...rest] = producer.inputs as readonly Value[]
  return [...partsOf(first!), ...rest]
}

/**
 * A concatenation that begins with all of an earlier one, as in DenseNet, appends to it: what lies there already need
 * not be moved again.
 */
export const appendToConcat: Rule = (node, inputs, { emit }) => {
  if (!isOp(node, 'concat')) return null
  const parts = inputs as readonly Value[]
  const earlier = parts[0]!.graph.nodes
    .filter((other) => isOp(other, 'concat'))
    .map(({ outputs: [value] }) => ({ value: value!, parts: partsOf(value!) }))
    .findLast(
      (other) => other.parts.length < parts.length && other.parts.every((part, i) => part === parts[i]),
    )
  if (!earlier) return null
  return emit('concat', [earlier.value, ...parts.slice(earlier.parts.length)], {}, node.outputs)
}
