import type { Value } from '../graph/graph.js'
import type { Shape } from '../tensor.js'
import type { Initializer } from './initializers.js'

/** What a parameter is to its layer: initialisation, weight decay and fixtures depend on it. */
export type ParameterRole =
  | 'convolution'
  | 'linear'
  | 'bias'
  | 'coefficient'
  | 'normWeight'
  | 'normBias'
  | 'runningMean'
  | 'runningVariance'
  | 'counter'

/** One named array of a network's state. Statistics and counters are state, but nothing learns them. */
export class Parameter {
  /** Name in checkpoints, such as `layer1.0.conv1.weight`; set when the network is put together. */
  name = ''

  constructor(
    readonly shape: Shape,
    readonly role: ParameterRole,
    readonly initializer: Initializer,
  ) {}

  /** Whether training changes it by gradient. */
  get trainable(): boolean {
    return this.role !== 'runningMean' && this.role !== 'runningVariance' && this.role !== 'counter'
  }
}

type Child = Component | Parameter

/** Something with parameters and children, found by walking its own properties in the order of their definition. */
export abstract class Component {
  /** Dotted path from the root; set when the network is put together. */
  path = ''

  /** Children and parameters by the name that they have in checkpoints. */
  children(): Iterable<readonly [string, Child]> {
    return Object.entries(this).flatMap(([key, value]: [string, unknown]) => childrenOf(key, value))
  }

  /** Gives every component below this one its path, every parameter its name. A shared one keeps its first. */
  name(path = ''): this {
    this.path = path
    for (const [key, child] of this.children()) {
      const below = path === '' ? key : `${path}.${key}`
      if (child instanceof Component) child.name(below)
      else if (child.name === '') child.name = below
    }
    return this
  }

  /** All parameters below, each once, in the order of the published checkpoints. */
  parameters(): Parameter[] {
    const found = new Set<Parameter>()
    for (const [, child] of this.children())
      if (child instanceof Component) for (const parameter of child.parameters()) found.add(parameter)
      else found.add(child)
    return [...found]
  }

  /** This component and all below it. */
  *components(): Generator<Component> {
    yield this
    for (const [, child] of this.children()) if (child instanceof Component) yield* child.components()
  }
}

function childrenOf(key: string, value: unknown): (readonly [string, Child])[] {
  if (value instanceof Component || value instanceof Parameter) return [[key, value]]
  return Array.isArray(value) ? value.flatMap((item, i) => childrenOf(`${key}.${i}`, item)) : []
}

/**
 * A layer or block with one input and one output. `In` and `Out` are channel counts where they are known as
 * literals, so that layers that do not meet are a type error.
 */
export abstract class Module<In extends number = number, Out extends number = number> extends Component {
  /** Records the operations of this module on `x`. */
  abstract forward(x: Value<In>): Value<Out>

  /** Applies the module to `x`; what it records carries its path. */
  call(x: Value<In>): Value<Out> {
    return x.graph.within(this.path, () => this.forward(x))
  }
}

/**
 * A whole network. `Eval` names its outputs at inference, `Train` those in training (auxiliary heads exist
 * only there); both come before any softmax.
 */
export abstract class Network<Eval extends string = 'logits', Train extends string = Eval> extends Component {
  declare private readonly outputsType: readonly [Eval, Train]

  /** Records the network on `[N, C, H, W]` images. `x.graph.mode` says whether it is traced for training. */
  abstract forward(x: Value): Readonly<Record<Eval, Value> & Partial<Record<Train, Value>>>
}
