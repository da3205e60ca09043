import type { Graph, Node, Value } from '../graph/graph.js'
import { elementCount } from '../tensor.js'
import { isOp, type Emit } from './rewrite.js'

/**
 * Activation checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost"): the forward half
 * keeps only what crosses from one segment to the next; the backward half computes a segment anew before it
 * goes through it.
 */
export class Checkpointing {
  private readonly segmentOf = new Map<Node, number>()
  private readonly segments: readonly (readonly Node[])[]
  /** Values that a later segment reads: the forward half keeps them. */
  private readonly kept = new Set<Value>()
  private readonly recomputed = new Map<Value, Value>()
  private readonly done = new Set<number>()

  constructor(private readonly graph: Graph) {
    this.segments = cut(graph.nodes)
    this.segments.forEach((nodes, i) => nodes.forEach((node) => this.segmentOf.set(node, i)))
    for (const node of graph.nodes)
      for (const input of node.inputs)
        if (input?.producer && this.segmentOf.get(input.producer) !== this.segmentOf.get(node))
          this.kept.add(input)
  }

  /** The node as the backward half shall see it: with its operands computed anew. */
  revisited(node: Node): Node {
    const segment = this.segmentOf.get(node)
    // The last segment is fresh when the backward half begins.
    if (segment === undefined || segment === this.segments.length - 1) return node
    if (!this.done.has(segment)) this.recompute(segment)
    const now = (value: Value) => this.recomputed.get(value) ?? value
    return {
      ...node,
      inputs: node.inputs.map((input) => input && now(input)),
      outputs: node.outputs.map(now),
    }
  }

  private recompute(segment: number): void {
    this.done.add(segment)
    for (const node of this.segments[segment]!) {
      const inputs = node.inputs.map((input) => input && (this.recomputed.get(input) ?? input))
      const emit: Emit = (op, operands, attributes, outputs) =>
        this.graph.add(op, operands, attributes, outputs, node.path)
      if (isOp(node, 'batchNormTraining')) {
        // By the statistics that were found the first time: the running ones are updated once.
        const [x, gamma, beta] = inputs
        const [y, mean, variance] = node.outputs
        const { eps, activation } = node.attributes
        const again = emit('batchNorm', [x!, gamma!, beta!, mean!, variance!], { eps, activation }, [y!])
        this.replace(y!, again[0]!)
      } else {
        const again = emit(node.op, inputs, node.attributes, node.outputs)
        node.outputs.forEach((output, i) => this.replace(output, again[i]!))
      }
    }
  }

  private replace(value: Value, again: Value): void {
    if (!this.kept.has(value)) this.recomputed.set(value, again)
  }
}

/** Cuts a sequence into about as many segments as each has nodes, where the least crosses the cut. */
function cut(nodes: readonly Node[]): readonly (readonly Node[])[] {
  const length = Math.max(1, Math.round(Math.sqrt(nodes.length)))
  const crossing = crossingSizes(nodes)
  const segments: (readonly Node[])[] = []
  let begin = 0
  while (nodes.length - begin > 1.5 * length) {
    let best = begin + Math.ceil(length / 2)
    for (let end = best + 1; end <= begin + Math.floor(1.5 * length); end++)
      if (crossing[end]! < crossing[best]!) best = end
    segments.push(nodes.slice(begin, best))
    begin = best
  }
  return [...segments, nodes.slice(begin)]
}

/** For each position, the elements that are computed before it and read behind it. */
function crossingSizes(nodes: readonly Node[]): readonly number[] {
  const lastUse = new Map<Value, number>()
  nodes.forEach(({ inputs }, i) => {
    for (const input of inputs) if (input) lastUse.set(input, i)
  })
  const sizes = new Array<number>(nodes.length + 1).fill(0)
  nodes.forEach(({ outputs }, i) => {
    for (const output of outputs)
      for (let position = i + 1; position <= (lastUse.get(output) ?? i); position++)
        sizes[position]! += elementCount(output.shape)
  })
  return sizes
}
