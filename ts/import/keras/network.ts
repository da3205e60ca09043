import { CheckpointError } from '../../errors.js'
import type { Value } from '../../graph/graph.js'
import type { CheckpointTensor } from '../../io/checkpoint.js'
import { Network, type Module } from '../../nn/index.js'
import { Features, type Deferred } from './features.js'
import { LAYERS, type BuiltLayer } from './layers/index.js'
import { keyOf, type Call } from './schedule.js'
import type { LayerDescription, Topology } from './topology.js'
import type { KerasWeights } from './weights.js'

/** What is collected while layers are built: their modules and the values of their parameters, by name. */
export interface Built {
  readonly modules: Map<string, Module>
  readonly values: Map<string, CheckpointTensor>
  fixesSize: boolean
}

type Apply = (inputs: readonly Features[]) => readonly Features[]

/** Runs a topology. As in Keras, a layer is built when it is first used: only then is its input known. */
class Runner {
  private readonly layers = new Map<LayerDescription, Apply>()

  constructor(
    private readonly topology: Topology,
    private readonly weights: KerasWeights,
    private readonly models: readonly string[],
    private readonly built: Built,
  ) {}

  run(inputs: readonly Features[]): readonly Features[] {
    const results = new Map<string, readonly Features[]>()
    this.topology.inputs.forEach((input, i) => results.set(keyOf(input), [inputs[i]!]))
    for (const call of this.topology.calls) {
      const { layer, node } = call
      const key = keyOf({ layer: layer.name, node })
      if (results.has(key)) continue
      results.set(key, this.use(layer, this.inputsOf(call, results)))
    }
    return this.topology.outputs.map(({ layer, node, tensor }) =>
      this.result(results, layer, node, tensor, `"${this.topology.name}"`),
    )
  }

  private inputsOf(
    { layer, inputs }: Call,
    results: ReadonlyMap<string, readonly Features[]>,
  ): readonly Features[] {
    const given = inputs.map((input) =>
      this.result(results, input.layer, input.node, input.tensor, layer.config.layer),
    )
    const expected = layer.nested?.inputs.length ?? (MERGES.includes(layer.className) ? null : 1)
    if (given.length === 0 || (expected !== null && given.length !== expected))
      throw new CheckpointError(
        'CHECKPOINT_FORMAT',
        `layer ${layer.config.layer} takes ${expected ?? 'some'} input(s), got ${given.length}`,
        { subject: layer.name, expected: String(expected ?? 'at least 1'), got: String(given.length) },
      )
    return given
  }

  private result(
    results: ReadonlyMap<string, readonly Features[]>,
    layer: string,
    node: number,
    tensor: number,
    wantedBy: string,
  ): Features {
    const given = results.get(keyOf({ layer, node }))!
    const features = given[tensor]
    if (!features)
      throw new CheckpointError(
        'CHECKPOINT_FORMAT',
        `${wantedBy} needs result ${tensor} of layer "${layer}"`,
        {
          subject: layer,
          expected: `one of ${given.length}`,
          got: String(tensor),
        },
      )
    return features
  }

  private use(layer: LayerDescription, inputs: readonly Features[]): readonly Features[] {
    const path = [...this.models, layer.name].join('.')
    return inputs[0]!.logits.graph.within(path, () => {
      let apply = this.layers.get(layer)
      if (!apply) {
        apply = layer.nested ? this.nest(layer, layer.nested) : this.build(layer, path, inputs[0]!)
        this.layers.set(layer, apply)
      }
      return apply(inputs)
    })
  }

  private nest({ name }: LayerDescription, topology: Topology): Apply {
    const inner = new Runner(topology, this.weights, [...this.models, name], this.built)
    return (inputs) => inner.run(inputs)
  }

  private build({ className, name, config }: LayerDescription, path: string, input: Features): Apply {
    const builder = LAYERS.get(className)
    if (!builder) throw config.unsupported('the class of an input in the middle of the network')
    const source = { className, config, weights: this.weights.of(this.models, name) }
    const { module, values, fixesSize, apply }: BuiltLayer = builder(source, input)
    if (module) this.built.modules.set(path, module.name(path))
    for (const [parameter, value] of values ?? []) this.built.values.set(parameter.name, value)
    if (fixesSize) this.built.fixesSize = true
    return (inputs) => [apply(...(inputs as readonly [Features, ...Features[]]))]
  }
}

const MERGES: readonly string[] = ['Add', 'Concatenate']

/** A network read from a description of Keras; its children are Keras' layers, by their names. */
export class KerasNetwork extends Network {
  readonly built: Built = { modules: new Map(), values: new Map(), fixesSize: false }
  private readonly runner: Runner

  /** @param output - which of the topology's outputs gives the logits */
  constructor(
    topology: Topology,
    weights: KerasWeights,
    private readonly output: (outputs: readonly Features[]) => Features,
  ) {
    super()
    this.runner = new Runner(topology, weights, [], this.built)
  }

  override children(): Iterable<readonly [string, Module]> {
    return this.built.modules
  }

  /** The logits, and the activation that the file has behind them. */
  record(x: Value): { logits: Value; activation: Deferred | null } {
    const { logits, deferred } = this.output(this.runner.run([new Features(x)]))
    return { logits, activation: deferred }
  }

  override forward(x: Value): { logits: Value } {
    return { logits: this.record(x).logits }
  }
}
