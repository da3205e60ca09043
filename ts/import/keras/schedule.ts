import { malformed } from '../../io/checkpoint-error.js'
import type { Reference } from './references.js'
import type { LayerDescription } from './topology.js'

/** One use of a layer. */
export interface Call {
  readonly layer: LayerDescription
  /** Which use, as references count. */
  readonly node: number
  readonly inputs: readonly Reference[]
}

/** The result of a use of a layer. */
export function keyOf({ layer, node }: Pick<Reference, 'layer' | 'node'>): string {
  return `${layer}:${node}`
}

/**
 * All uses of layers, each behind what it needs: files list them in any order.
 *
 * @throws CheckpointError when something is needed that no layer gives, or that needs itself
 */
export function inOrder(
  path: string,
  network: string,
  layers: readonly LayerDescription[],
  outputs: readonly Reference[],
): Call[] {
  const references = [...outputs, ...layers.flatMap(({ calls }) => calls.flat())]
  const calls = layers.flatMap((layer) => callsOf(layer, references))
  const given = new Set(calls.map((call) => key(call)))
  for (const reference of references)
    if (!given.has(keyOf(reference)))
      throw malformed(path, `the network "${network}" needs what no layer gives`, {
        expected: 'the name and a use of one of its layers',
        got: `"${reference.layer}", use ${reference.node}`,
      })

  const waiting = new Map<string, Call[]>()
  const missing = new Map<Call, number>()
  for (const call of calls) {
    const needed = new Set(call.inputs.map(keyOf))
    missing.set(call, needed.size)
    for (const name of needed) waiting.set(name, [...(waiting.get(name) ?? []), call])
  }
  // In the order of the file, but what is not ready yet comes right behind what it waits for.
  const ordered: Call[] = []
  const seen = new Set<Call>()
  for (const call of calls) {
    seen.add(call)
    const ready = missing.get(call) === 0 ? [call] : []
    for (let next = ready.pop(); next; next = ready.pop()) {
      ordered.push(next)
      for (const follower of waiting.get(key(next)) ?? []) {
        const left = missing.get(follower)! - 1
        missing.set(follower, left)
        if (left === 0 && seen.has(follower)) ready.push(follower)
      }
    }
  }
  if (ordered.length < calls.length)
    throw malformed(path, `layers of the network "${network}" need each other in a circle`, {
      got: calls.find((call) => !ordered.includes(call))!.layer.name,
    })
  return ordered
}

function key({ layer, node }: Call): string {
  return keyOf({ layer: layer.name, node })
}

function callsOf(layer: LayerDescription, references: readonly Reference[]): Call[] {
  if (layer.calls.length === 0) return [{ layer, node: 0, inputs: [] }]
  // A nested model's first use is its own making, which the file leaves out of the list but not out of the count.
  const last = references.reduce(
    (most, { layer: name, node }) => (name === layer.name ? Math.max(most, node) : most),
    0,
  )
  const first = layer.nested && last === layer.calls.length ? 1 : 0
  return layer.calls.map((inputs, i) => ({ layer, node: first + i, inputs }))
}
