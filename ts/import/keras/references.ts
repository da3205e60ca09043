import { malformed } from '../../io/checkpoint-error.js'
import { isCount } from '../../io/checkpoint-tensor.js'
import { excerpt, isJson } from '../../io/json.js'

/** One tensor inside a network: what a use of a layer gives. */
export interface Reference {
  readonly layer: string
  /** Which use of the layer. */
  readonly node: number
  /** Which of its results. */
  readonly tensor: number
}

/** What each use of a layer takes: `inbound_nodes`. */
export function parseCalls(path: string, layer: string, nodes: unknown): Reference[][] {
  if (!Array.isArray(nodes)) throw bad(path, `inputs of layer ${layer}`, nodes)
  return nodes.map((node: unknown) => {
    // Keras 3 describes the arguments of the call, Keras 2 lists what it takes.
    if (isJson(node)) return [...kerasTensors(path, layer, node.args)]
    return parseReferences(path, `inputs of layer ${layer}`, node)
  })
}

/** A list of references, or a single one without a list around it. */
export function parseReferences(path: string, what: string, value: unknown): Reference[] {
  if (!Array.isArray(value)) throw bad(path, what, value)
  if (typeof value[0] === 'string') return [parseReference(path, what, value)]
  return value.map((entry: unknown) => parseReference(path, what, entry))
}

function parseReference(path: string, what: string, value: unknown): Reference {
  const [layer, node, tensor] = Array.isArray(value) ? (value as unknown[]) : []
  if (typeof layer !== 'string' || !isCount(node) || !isCount(tensor)) throw bad(path, what, value)
  return { layer, node, tensor }
}

function* kerasTensors(path: string, layer: string, value: unknown): Generator<Reference> {
  if (Array.isArray(value)) for (const item of value) yield* kerasTensors(path, layer, item)
  else if (isJson(value) && value.class_name === '__keras_tensor__' && isJson(value.config))
    yield parseReference(path, `inputs of layer ${layer}`, value.config.keras_history)
  else throw bad(path, `inputs of layer ${layer}`, value)
}

function bad(path: string, what: string, value: unknown): Error {
  return malformed(path, `the ${what} are wrong`, {
    expected: 'lists of [layer, node, tensor]',
    got: excerpt(value),
  })
}
