import { UnsupportedError } from '../../errors.js'
import { malformed } from '../../io/checkpoint-error.js'
import { excerpt, isJson, type Json } from '../../io/json.js'
import { Config } from './config.js'
import { parseCalls, parseReferences, type Reference } from './references.js'
import { inOrder, type Call } from './schedule.js'

/** A network as Keras describes it. */
export interface Topology {
  readonly name: string
  readonly inputs: readonly Reference[]
  readonly outputs: readonly Reference[]
  /** All uses of layers, each behind what it needs. */
  readonly calls: readonly Call[]
}

/** A layer as Keras describes it. */
export interface LayerDescription {
  readonly className: string
  readonly name: string
  readonly config: Config
  /** What each use of it takes. */
  readonly calls: readonly (readonly Reference[])[]
  /** The network that this layer is, when it is one. */
  readonly nested: Topology | null
}

const FUNCTIONAL = ['Model', 'Functional']
const SEQUENTIAL = 'Sequential'

/**
 * Reads a description of Keras 2 or 3, of either sort: a list of layers, or layers that name what they take.
 *
 * @param supported - the classes of layers that are known
 * @throws CheckpointError when it is damaged
 * @throws UnsupportedError for an unknown class of layers, which it names
 */
export function parseTopology(path: string, document: Json, supported: ReadonlySet<string>): Topology {
  const { model_config: inner = document } = document
  const { class_name: className } = isJson(inner) ? inner : {}
  if (!isJson(inner) || typeof className !== 'string')
    throw malformed(path, 'modelTopology describes no network', {
      expected: 'class_name and config',
      got: excerpt(inner),
    })
  if (className !== SEQUENTIAL && !FUNCTIONAL.includes(className))
    throw new UnsupportedError(`${path}: a network of class ${className} is not supported`, {
      subject: className,
      expected: [SEQUENTIAL, ...FUNCTIONAL].join(', '),
      got: className,
    })
  return new Parser(path, supported).network(className, inner.config, 0)
}

/** Models within models; a limit, so that a hostile file cannot overflow the stack. */
const MAX_DEPTH = 16

class Parser {
  constructor(
    private readonly path: string,
    private readonly supported: ReadonlySet<string>,
  ) {}

  network(className: string, config: unknown, depth: number): Topology {
    if (depth > MAX_DEPTH) throw malformed(this.path, `models are nested more than ${MAX_DEPTH} deep`)
    const settings: Json = isJson(config) ? config : { layers: config }
    if (!Array.isArray(settings.layers) || settings.layers.length === 0)
      throw malformed(this.path, 'a network has no layers', {
        expected: 'a list of layers',
        got: excerpt(settings.layers),
      })
    const name = typeof settings.name === 'string' ? settings.name : className.toLowerCase()
    const layers = settings.layers.map((layer: unknown) => this.layer(layer, depth))
    const names = new Set(layers.map((layer) => layer.name))
    if (names.size < layers.length) throw malformed(this.path, `two layers of "${name}" have one name`)
    return className === SEQUENTIAL
      ? this.sequential(name, layers, settings)
      : this.functional(name, layers, settings)
  }

  private layer(document: unknown, depth: number): LayerDescription {
    const { class_name: className, config, inbound_nodes: nodes = [] } = isJson(document) ? document : {}
    const settings: Json = isJson(config) ? config : {}
    const name = isJson(document) && typeof document.name === 'string' ? document.name : settings.name
    // The config of a sequential network may be a bare list of layers.
    const isNetwork = className === SEQUENTIAL || FUNCTIONAL.includes(String(className))
    if (typeof className !== 'string' || typeof name !== 'string' || (!isNetwork && !isJson(config)))
      throw malformed(this.path, 'a layer is wrong', {
        expected: 'class_name, name and config',
        got: excerpt(document),
      })
    const layer = `${className} "${name}"`
    if (!isNetwork && !this.supported.has(className))
      throw new UnsupportedError(
        `${this.path}: layer "${name}" has the class ${className}, which is not supported`,
        {
          subject: name,
          expected: [...this.supported].join(', '),
          got: className,
        },
      )
    return {
      className,
      name,
      config: new Config(this.path, layer, settings),
      calls: parseCalls(this.path, layer, nodes),
      nested: isNetwork ? this.network(className, config, depth + 1) : null,
    }
  }

  private functional(name: string, layers: readonly LayerDescription[], settings: Json): Topology {
    const inputs = parseReferences(this.path, `inputs of "${name}"`, settings.input_layers)
    const outputs = parseReferences(this.path, `outputs of "${name}"`, settings.output_layers)
    if (inputs.length === 0 || outputs.length === 0)
      throw malformed(this.path, `the network "${name}" has no inputs or no outputs`)
    return { name, inputs, outputs, calls: inOrder(this.path, name, layers, outputs) }
  }

  /** Each layer takes what the one before gives; the first gets an input layer if it has none. */
  private sequential(name: string, layers: readonly LayerDescription[], settings: Json): Topology {
    const first = layers[0]!
    const chain =
      first.className === 'InputLayer' ? [...layers] : [this.inputOf(name, layers, settings), ...layers]
    const linked = chain.map((layer, i): LayerDescription => {
      const before = chain[i - 1]
      return { ...layer, calls: before ? [[{ layer: before.name, node: 0, tensor: 0 }]] : [] }
    })
    const end = (layer: LayerDescription): Reference => ({ layer: layer.name, node: 0, tensor: 0 })
    const outputs = [end(linked.at(-1)!)]
    return { name, inputs: [end(linked[0]!)], outputs, calls: inOrder(this.path, name, linked, outputs) }
  }

  private inputOf(name: string, layers: readonly LayerDescription[], settings: Json): LayerDescription {
    const { nested, config } = layers[0]!
    const shape = (nested && inputShape(nested)) ?? shapeIn(config) ?? settings.build_input_shape
    let own = `${name}_input`
    while (layers.some((layer) => layer.name === own)) own += '_'
    const input = new Config(this.path, `InputLayer "${own}"`, { batch_shape: shape })
    return { className: 'InputLayer', name: own, config: input, calls: [], nested: null }
  }
}

/** The layer that stands for the first input. */
export function inputLayer({ inputs, calls }: Topology): LayerDescription {
  return calls.find(({ layer }) => layer.name === inputs[0]!.layer)!.layer
}

/** The shape of the first input, batch first, as it stands in the file. */
export function inputShape(topology: Topology): unknown {
  return shapeIn(inputLayer(topology).config)
}

function shapeIn(config: Config): unknown {
  return config.get('batch_input_shape') ?? config.get('batch_shape')
}
