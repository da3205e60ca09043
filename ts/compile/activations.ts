import type { Graph, Value } from '../graph/graph.js'
import { constantsOf } from './lower.js'

/**
 * Every float32 activation of an optimised evaluation graph by a name that stays the same whatever the batch and the
 * size of the images: an input's own, else the path of the layer that computes it, with a number from the second one on.
 */
export function activationNames(graph: Graph): ReadonlyMap<Value, string> {
  const constants = constantsOf(graph)
  const names = new Map<Value, string>([...graph.inputs].map(([name, value]) => [value, name]))
  const seen = new Map<string, number>()
  for (const { outputs, path } of graph.nodes) {
    const [value] = outputs
    if (constants.has(value!) || value!.dtype !== 'f32') continue
    const count = (seen.get(path) ?? 0) + 1
    seen.set(path, count)
    names.set(value!, count === 1 ? path : `${path}:${count}`)
  }
  return names
}
