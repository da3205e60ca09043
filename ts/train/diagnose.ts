import { optimize, toPlan } from '../compile/compile.js'
import { differentiate } from '../compile/gradient.js'
import type { Node, Value } from '../graph/graph.js'
import { inPlace } from '../graph/schema.js'
import type { Model } from '../model/model.js'
import { frozenNames, type Pattern } from '../model/patterns.js'
import { randomWords } from '../model/random-words.js'
import type { Loss } from '../model/step.js'
import type { Device } from '../runtime/device.js'
import { elementCount, type Tensor } from '../tensor.js'

/** A batch that went wrong, and all that its step depended on. */
export interface Suspect {
  readonly images: Tensor
  readonly labels: Int32Array | Tensor
  readonly loss: Loss
  readonly freeze: readonly Pattern[]
  /** Of dropout. */
  readonly seed: number
  readonly batches: number
}

/** Where a number first was not finite. */
export interface Finding {
  /** Path of the layer; empty where the loss itself is not finite. */
  readonly layer: string
  readonly op: string
  readonly what: 'output' | 'gradient'
}

/** Elements of results that are fetched from the device together. */
const FETCHED_AT_ONCE = 1 << 24

/**
 * Runs forward and backward once more with every layer's results as outputs, and names the first that is not
 * finite. Weights are left alone; running statistics see the batch once more.
 *
 * @returns null when all is finite
 */
export async function firstNonFinite(
  model: Model<'logits', string>,
  device: Device,
  suspect: Suspect,
): Promise<Finding | null> {
  const { graph, nodes } = record(model, suspect)
  const program = await device.compile(toPlan(graph), await model.weights.on(device))
  const { images, labels, seed, batches } = suspect
  const inputs: Record<string, Float32Array | Int32Array> = {
    input: images.data,
    labels: labels instanceof Int32Array ? labels : labels.data,
  }
  if (graph.inputs.has('random')) inputs.random = randomWords(seed, batches)
  try {
    for (const names of portions(graph.outputs)) {
      const results = await program.run(['forward', 'backward'], inputs, names)
      for (const name of names) {
        if (isFinite(results[name]!.data)) continue
        const { path, op, phase } = nodes.get(name)!
        return { layer: path, op, what: phase === 'forward' ? 'output' : 'gradient' }
      }
    }
    return null
  } finally {
    program.dispose()
  }
}

/** Both halves, with the results of every node as outputs, in the order of computation. */
function record(model: Model<'logits', string>, { images, loss, freeze }: Suspect) {
  const [batch, , height, width] = images.shape as [number, number, number, number]
  const frozen = frozenNames(model.parameters, freeze)
  const graph = optimize(model.trace('training', { batch, size: [height, width], frozen }))
  const logits = graph.outputs.get('logits')!
  const labels =
    loss.labels === 'classes' ? graph.input('labels', [batch], 'i32') : graph.input('labels', logits.shape)
  const { gradients } = loss.record(graph.outputs, labels)
  const learning = model.parameters.filter(
    ({ name, trainable }) => trainable && graph.parameters.has(name) && !frozen.has(name),
  )
  differentiate(
    graph,
    gradients,
    learning.map((parameter) => graph.parameter(parameter)),
  )
  graph.outputs.clear()
  const nodes = new Map<string, Node>()
  for (const node of graph.nodes)
    node.outputs.forEach((value, i) => {
      if (value.dtype !== 'f32' || inPlace[node.op]?.some(([output]) => output === i)) return
      const name = String(nodes.size)
      nodes.set(name, node)
      graph.outputs.set(name, value)
    })
  return { graph, nodes }
}

function* portions(outputs: ReadonlyMap<string, Value>): Generator<readonly string[]> {
  let names: string[] = []
  let elements = 0
  for (const [name, { shape }] of outputs) {
    names.push(name)
    elements += elementCount(shape)
    if (elements < FETCHED_AT_ONCE) continue
    yield names
    names = []
    elements = 0
  }
  if (names.length > 0) yield names
}

function isFinite(data: Float32Array): boolean {
  for (const value of data) if (!Number.isFinite(value)) return false
  return true
}
