import type { Graph, Value } from '../graph/graph.js'
import { constantsOf } from './lower.js'

/**
 * Every float32 activation of an optimised evaluation graph by a name that stays the same whatever the batch and the
 * size of the images: an input's own, else the path of the layer that computes it, or the
 * operation where it is no layer's, with a number from the second one on.
 */
export function activationNames(graph: Graph): ReadonlyMap<Value, string> {
  const constants = constantsOf(graph)
  const names = new Map<Value, string>([...graph.inputs].map(([name, value]) => [value, name]))
  const seen = new Map([...names.values()].map((name) => [name, 1]))
  for (const { op, outputs, path } of graph.nodes) {
    const [value] = outputs
    if (constants.has(value!) || value!.dtype !== 'f32') continue
    const name = path === '' ? op : path
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    names.set(value!, count === 1 ? name : `${name}:${count}`)
  }
  return names
}
