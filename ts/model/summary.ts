import type { Graph, Mode, Node, Value } from '../graph/graph.js'
import type { OpName, Pair } from '../graph/schema.js'
import { elementCount, type Shape } from '../tensor.js'
import type { Model } from './model.js'

/** One operation of a network. */
export interface SummaryRow {
  /** Dotted path of the layer that records it; empty for the network itself. */
  readonly path: string
  readonly op: OpName
  /** Which pooling or elementwise function it is; null for other operations. */
  readonly kind: string | null
  /** Shape of its output. */
  readonly shape: Shape
  /** Trainable scalars that are first used here. */
  readonly parameters: number
  /** Multiply-adds: those of convolutions and linear layers, which is what published figures count. */
  readonly multiplyAdds: number
  /** Bytes of its outputs; none where they are the input in another shape. */
  readonly activationBytes: number
}

/** What a network costs, layer by layer. */
export interface Summary {
  readonly model: string
  /** `[N, C, H, W]` */
  readonly input: Shape
  readonly rows: readonly SummaryRow[]
  readonly parameters: number
  readonly multiplyAdds: number
  /** Bytes of all outputs together: what training keeps, while inference reuses most of it. */
  readonly activationBytes: number
}

export interface SummaryOptions {
  /** Default 1. */
  readonly batch?: number
  /** Height and width of the images. Default: what the network was made for. */
  readonly size?: number | Pair
  /** `training` shows auxiliary heads too. Default `evaluation`. */
  readonly mode?: Mode
}

/**
 * Counts what a network costs. It is only traced: no device is needed and no weights are made.
 *
 * @throws ShapeError naming the layer for which the image is too small
 */
export function summarize(
  model: Model<string, string>,
  { mode = 'evaluation', ...options }: SummaryOptions = {},
): Summary {
  const graph = model.trace(mode, options)
  const rows = costsOf(graph, new Set(model.parameters.filter((p) => p.trainable).map((p) => p.name)))
  const total = (key: 'parameters' | 'multiplyAdds' | 'activationBytes') =>
    rows.reduce((sum, row) => sum + row[key], 0)
  return {
    model: model.name,
    input: graph.inputs.get('input')!.shape,
    rows,
    parameters: total('parameters'),
    multiplyAdds: total('multiplyAdds'),
    activationBytes: total('activationBytes'),
  }
}

function costsOf(graph: Graph, trainable: ReadonlySet<string>): SummaryRow[] {
  /** For each value that is made of parameters alone: which they are. */
  const origins = new Map<Value, readonly Value[]>()
  for (const parameter of graph.parameters.values()) origins.set(parameter, [parameter])
  const counted = new Set<Value>()
  const rows: SummaryRow[] = []
  for (const node of graph.nodes) {
    const operands = node.inputs.filter((value) => value !== null)
    const own = operands.flatMap((value) => origins.get(value) ?? [])
    // Such an operation belongs to whoever uses its result, as a connection table to its convolution.
    if (operands.every((value) => origins.has(value))) {
      for (const output of node.outputs) origins.set(output, own)
      continue
    }
    const fresh = own.filter((value) => trainable.has(value.name) && !counted.has(value))
    for (const value of fresh) counted.add(value)
    rows.push({
      path: node.path,
      op: node.op,
      kind: (node.attributes as { readonly kind?: string }).kind ?? null,
      shape: node.outputs[0]!.shape,
      parameters: fresh.reduce((sum, { shape }) => sum + elementCount(shape), 0),
      multiplyAdds: multiplyAdds(node),
      activationBytes: activationBytes(node),
    })
  }
  return rows
}

function multiplyAdds({ op, inputs, outputs }: Node): number {
  const [, weight] = inputs
  const { shape } = outputs[0]!
  if (op === 'linear') return shape[0]! * elementCount(weight!.shape)
  if (op !== 'convolution') return 0
  const positions = elementCount(shape.slice(2))
  return shape[0]! * positions * connections(weight!)
}

/** Weights that each position of a convolution uses: of a connection table those that it connects. */
function connections(weight: Value): number {
  const { producer } = weight
  return elementCount(producer?.op === 'scatterRows' ? producer.inputs[0]!.shape : weight.shape)
}

const BYTES = { f32: 4, bf16: 2, f16: 2, u8: 1, s8: 1, i32: 4, opaque: 0 } as const

function activationBytes({ op, outputs }: Node): number {
  if (op === 'reshape') return 0
  return outputs.reduce((sum, { shape, dtype }) => sum + elementCount(shape) * BYTES[dtype], 0)
}
