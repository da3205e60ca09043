import type { Graph, Node, Value } from '../graph/graph.js'
import type { OpName } from '../graph/schema.js'

/** How integers of 8 bits stand for numbers: each for its product with the scale. */
export interface EightBitFormat {
  readonly dtype: 'u8' | 's8'
  readonly scale: number
}

const LARGEST = { u8: 255, s8: 127 } as const

/** Operations that choose among the integers that they are given, or average them: their results have the same scale. */
const TRANSPARENT: ReadonlySet<OpName> = new Set<OpName>(['pooling', 'concat', 'reshape'])

/** Operations whose result is nowhere negative where no operand is. */
const KEEPS_SIGN: ReadonlySet<OpName> = new Set<OpName>([
  'pooling',
  'adaptiveAveragePooling',
  'concat',
  'slice',
  'subsamplePad',
  'reshape',
])

/** Which activations of a graph have 8 bits, and what these mean. */
export class EightBits {
  /** Activations that are kept in 8 bits. */
  readonly kept = new Set<Value>()
  private readonly results: ReadonlySet<Value>
  private readonly nonNegative = new Set<Value>()
  /** Of activations that must have one format: each names another one of its group. */
  private readonly groups = new Map<Value, Value>()
  private readonly formats = new Map<Value, EightBitFormat>()

  /**
   * @param graph - optimised, of an evaluation
   * @param rangeOf - the largest magnitude of an activation
   */
  constructor(
    private readonly graph: Graph,
    private readonly rangeOf: (value: Value) => number,
  ) {
    this.results = new Set(graph.outputs.values())
    const wanted = this.wanted()
    for (const node of graph.nodes) {
      const [y] = node.outputs
      if (isNonNegative(node, this.nonNegative)) this.nonNegative.add(y!)
      if (this.computesInEightBits(node, wanted)) this.kept.add(y!)
    }
    for (const { op, inputs, outputs } of graph.nodes)
      if (TRANSPARENT.has(op) && this.kept.has(outputs[0]!)) this.join([...inputs, ...outputs])
    this.settle(wanted)
  }

  /** Whether an operation is a product of 8 bits; what gives the network's result is not, as few weights as it has. */
  multiplies({ op, outputs }: Node): boolean {
    return op === 'convolution' || (op === 'linear' && !this.results.has(outputs[0]!))
  }

  /** What 8 bits of an activation mean. */
  formatOf(value: Value): EightBitFormat {
    return this.formats.get(this.leader(value))!
  }

  /** What a product reads, at once or as it is handed on, and nobody outside the graph does. */
  private wanted(): ReadonlySet<Value> {
    const wanted = new Set<Value>()
    const want = (value: Value | null | undefined) => {
      if (value && !this.results.has(value)) wanted.add(value)
    }
    for (const node of this.graph.nodes.toReversed())
      if (this.multiplies(node)) [node.inputs[0], node.inputs[3]].forEach(want)
      else if (TRANSPARENT.has(node.op) && wanted.has(node.outputs[0]!)) node.inputs.forEach(want)
    return wanted
  }

  private computesInEightBits(node: Node, wanted: ReadonlySet<Value>): boolean {
    if (!wanted.has(node.outputs[0]!)) return false
    if (this.multiplies(node)) return true
    return TRANSPARENT.has(node.op) && node.inputs.some((input) => this.kept.has(input!))
  }

  private leader(value: Value): Value {
    const next = this.groups.get(value)
    return next ? this.leader(next) : value
  }

  private join(values: readonly (Value | null)[]): void {
    const [first, ...others] = values.map((value) => this.leader(value!))
    for (const other of others) if (other !== this.leader(first!)) this.groups.set(other, this.leader(first!))
  }

  private settle(values: ReadonlySet<Value>): void {
    const members = new Map<Value, Value[]>()
    for (const value of values)
      members.set(this.leader(value), [...(members.get(this.leader(value)) ?? []), value])
    for (const [leader, group] of members) {
      const dtype = group.every((value) => this.nonNegative.has(value)) ? 'u8' : 's8'
      const range = Math.max(...group.map(this.rangeOf))
      // What is zero for all images that were seen has no scale of its own.
      this.formats.set(leader, { dtype, scale: range > 0 ? range / LARGEST[dtype] : 1 })
    }
  }
}

function isNonNegative({ op, inputs, attributes }: Node, nonNegative: ReadonlySet<Value>): boolean {
  if ('activation' in attributes && attributes.activation === 'relu') return true
  if (op === 'elementwise' && 'kind' in attributes && attributes.kind === 'relu') return true
  return KEEPS_SIGN.has(op) && inputs.every((input) => nonNegative.has(input!))
}
