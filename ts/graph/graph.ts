import { ShapeError } from '../errors.js'
import { formatShape, type Shape } from '../tensor.js'
import type { Attributes, OpName } from './schema.js'

/** Element types on a device; `opaque` is a backend's own record between two of its kernels. */
export type ValueDType = 'f32' | 'bf16' | 'f16' | 'u8' | 's8' | 'i32' | 'opaque'

export type Mode = 'evaluation' | 'training'

/** The part of a program that a node belongs to. */
export type Phase = 'forward' | 'backward' | 'update'

/** Shape and element type of a {@link Value}. */
export interface Spec {
  readonly shape: Shape
  readonly dtype: ValueDType
}

/** Something that turns a value into another: a `Module`, or a plain function such as `relu`. */
export type Layer<In extends number = number, Out extends number = number> =
  { call(x: Value<In>): Value<Out> } | ((x: Value<In>) => Value<Out>)

/**
 * A tensor that will exist when the program runs. Images are `[N, C, H, W]`; `C` is carried in the type where
 * it is a literal.
 */
export class Value<C extends number = number> {
  declare private readonly channelsType: C

  constructor(
    readonly graph: Graph,
    readonly shape: Shape,
    readonly dtype: ValueDType,
    /** The node that computes it, or null for an input or a parameter. */
    readonly producer: Node | null,
    /** Name of the input or parameter; empty for a computed value. */
    readonly name: string,
  ) {}

  /** Size of axis 1. */
  get channels(): C {
    return this.shape[1] as C
  }

  /** Applies layers one after the other. */
  pipe(...layers: readonly Layer[]): Value {
    return layers.reduce<Value>((x, layer) => (typeof layer === 'function' ? layer(x) : layer.call(x)), this)
  }
}

/** One operation of a graph. */
export interface Node<Op extends OpName = OpName> {
  readonly op: Op
  readonly inputs: readonly (Value | null)[]
  readonly outputs: readonly Value[]
  readonly attributes: Attributes<Op>
  /** Dotted path of the layer that recorded it. */
  readonly path: string
  readonly phase: Phase
}

/** A declared parameter: what a layer asks a graph for. */
export interface ParameterSpec {
  readonly name: string
  readonly shape: Shape
}

/**
 * A network as it is recorded: nodes in the order of computation, named inputs, parameters and outputs.
 * Every pass of the compiler reads one graph and writes another.
 */
export class Graph {
  readonly nodes: Node[] = []
  readonly inputs = new Map<string, Value>()
  readonly parameters = new Map<string, Value>()
  readonly outputs = new Map<string, Value>()
  /** Phase that newly added nodes belong to. */
  phase: Phase = 'forward'
  private readonly scope: string[] = []

  constructor(
    readonly mode: Mode,
    /** Names of parameters that do not learn. A batch norm whose parameters are frozen keeps its statistics. */
    readonly frozen: ReadonlySet<string> = new Set(),
  ) {}

  /** Path of the layer that is being recorded. */
  get path(): string {
    return this.scope.at(-1) ?? ''
  }

  /** Records `body` as belonging to the layer at `path`. */
  within<T>(path: string, body: () => T): T {
    this.scope.push(path)
    try {
      return body()
    } finally {
      this.scope.pop()
    }
  }

  input(name: string, shape: Shape, dtype: ValueDType = 'f32'): Value {
    const value = new Value(this, shape, dtype, null, name)
    this.inputs.set(name, value)
    return value
  }

  /** Seed and step, from which all randomness of a run follows: i32 `[seed low, seed high, step low, step high]`. */
  random(): Value {
    return this.inputs.get('random') ?? this.input('random', [4], 'i32')
  }

  /** The value of a parameter; the same one at every call. */
  parameter({ name, shape }: ParameterSpec): Value {
    let value = this.parameters.get(name)
    if (!value) {
      value = new Value(this, shape, 'f32', null, name)
      this.parameters.set(name, value)
    }
    return value
  }

  /** Appends an operation; its shapes are already checked. */
  add<Op extends OpName>(
    op: Op,
    inputs: readonly (Value | null)[],
    attributes: Attributes<Op>,
    outputs: readonly Spec[],
    path = this.path,
    phase = this.phase,
  ): readonly Value[] {
    const values: Value[] = []
    const node: Node = { op, inputs: [...inputs], outputs: values, attributes, path, phase }
    for (const { shape, dtype } of outputs) values.push(new Value(this, shape, dtype, node, ''))
    this.nodes.push(node)
    return values
  }

  /** A {@link ShapeError} that names the layer. */
  shapeError(op: string, expected: string, got: string | Shape): ShapeError {
    const text = typeof got === 'string' ? got : formatShape(got)
    const where = this.path === '' ? op : `${op} at ${this.path}`
    return new ShapeError(`${where} expects ${expected}, got ${text}`, {
      subject: where,
      expected,
      got: text,
    })
  }
}
