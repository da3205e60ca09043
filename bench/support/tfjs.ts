import { fuseRelu } from '../../ts/compile/fuse.js'
import { foldBatchNorm, mergePadding } from '../../ts/compile/fold.js'
import { isOp, rewrite } from '../../ts/compile/rewrite.js'
import { UnsupportedError } from '../../ts/errors.js'
import type { Graph, Node, Value } from '../../ts/graph/graph.js'
import type { Edges } from '../../ts/graph/schema.js'
import { elementCount } from '../../ts/tensor.js'

/** A tensor of TensorFlow.js. */
export interface TfTensor {
  readonly shape: number[]
  data(): Promise<Float32Array>
  dispose(): void
}

type ExplicitPadding = readonly (readonly [number, number])[]
type Activation = 'linear' | 'relu'

/** The part of TensorFlow.js that networks need. */
export interface Tf {
  setBackend(name: string): Promise<boolean>
  ready(): Promise<void>
  tidy<T>(body: () => T): T
  tensor(data: Float32Array, shape: readonly number[]): TfTensor
  transpose(x: TfTensor, order: readonly number[]): TfTensor
  reshape(x: TfTensor, shape: readonly number[]): TfTensor
  relu(x: TfTensor): TfTensor
  add(a: TfTensor, b: TfTensor): TfTensor
  mul(a: TfTensor, b: TfTensor): TfTensor
  concat(parts: readonly TfTensor[], axis: number): TfTensor
  pad(x: TfTensor, padding: ExplicitPadding): TfTensor
  maxPool(
    x: TfTensor,
    kernel: readonly number[],
    stride: readonly number[],
    padding: ExplicitPadding,
  ): TfTensor
  avgPool(x: TfTensor, kernel: readonly number[], stride: readonly number[], padding: 'valid'): TfTensor
  readonly fused: {
    conv2d(options: {
      x: TfTensor
      filter: TfTensor
      strides: readonly number[]
      dilations: readonly number[]
      pad: ExplicitPadding
      bias?: TfTensor
      activation: Activation
    }): TfTensor
    matMul(options: { a: TfTensor; b: TfTensor; transposeB: boolean; bias?: TfTensor }): TfTensor
  }
}

type Compute = (read: (value: Value) => TfTensor) => TfTensor

/**
 * A network as a function on TensorFlow.js, as its own converter would write it: channels last, batch norms folded
 * into convolutions, ReLUs fused.
 *
 * @param traced - an evaluation graph
 * @param weights - arrays by the names of parameters
 * @returns what computes logits from images `[N, H, W, C]`
 */
export function toTfjs(
  tf: Tf,
  traced: Graph,
  weights: (name: string) => Float32Array,
): (images: TfTensor) => TfTensor {
  const graph = rewrite(rewrite(rewrite(traced, mergePadding), foldBatchNorm), fuseRelu)
  const arrays = new Map<Value, Float32Array>()
  for (const [name, value] of graph.parameters) arrays.set(value, weights(name))
  const steps: { readonly output: Value; readonly compute: Compute }[] = []
  for (const node of graph.nodes) {
    if (isOp(node, 'foldBatchNorm')) fold(node, arrays)
    else steps.push({ output: node.outputs[0]!, compute: translate(tf, node, arrays) })
  }
  const [input] = graph.inputs.values()
  const [logits] = graph.outputs.values()
  return (images) =>
    tf.tidy(() => {
      const values = new Map([[input!, images]])
      for (const { output, compute } of steps)
        values.set(
          output,
          compute((value) => values.get(value)!),
        )
      return values.get(logits!)!
    })
}

/** The weight and bias of a convolution that includes the batch norm behind it. */
function fold(node: Node<'foldBatchNorm'>, arrays: Map<Value, Float32Array>): void {
  const array = (i: number) => arrays.get(node.inputs[i]!)
  const [weight, bias, gamma, beta, mean, variance] = [0, 1, 2, 3, 4, 5].map(array)
  const scale = gamma!.map((value, o) => value / Math.sqrt(variance![o]! + node.attributes.eps))
  const size = weight!.length / scale.length
  arrays.set(
    node.outputs[0]!,
    weight!.map((value, i) => value * scale[Math.floor(i / size)]!),
  )
  arrays.set(
    node.outputs[1]!,
    beta!.map((value, o) => value + ((bias?.[o] ?? 0) - mean![o]!) * scale[o]!),
  )
}

function translate(tf: Tf, node: Node, arrays: ReadonlyMap<Value, Float32Array>): Compute {
  const [x] = node.inputs
  const constant = (value: Value) => tf.tensor(arrays.get(value)!, value.shape)
  const optional = (value: Value | null | undefined) => (value ? { bias: constant(value) } : {})
  if (isOp(node, 'convolution') && node.attributes.groups === 1) {
    const { stride, padding, dilation } = node.attributes
    // From [O, I, H, W] to [H, W, I, O].
    const filter = tf.transpose(constant(node.inputs[1]!), [2, 3, 1, 0])
    const options = {
      filter,
      strides: stride,
      dilations: dilation,
      pad: explicit(padding),
      ...optional(node.inputs[2]),
    }
    const activation = activationOf(node.attributes.activation)
    return (read) => tf.fused.conv2d({ x: read(x!), ...options, activation })
  }
  if (isOp(node, 'linear')) {
    const options = { b: constant(node.inputs[1]!), transposeB: true, ...optional(node.inputs[2]) }
    // A ReLU fused into this product leaves numbers below zero (4.22, outputs of 4096).
    return (read) => activated(tf, tf.fused.matMul({ a: read(x!), ...options }), node.attributes.activation)
  }
  if (isOp(node, 'pooling')) {
    const { kind, kernel, stride, padding, countPadding } = node.attributes
    if (kind === 'max') return (read) => tf.maxPool(read(x!), kernel, stride, explicit(padding))
    if (countPadding || padding.every((side) => side === 0))
      return (read) => tf.avgPool(tf.pad(read(x!), explicit(padding)), kernel, stride, 'valid')
  }
  if (isOp(node, 'batchNorm')) {
    const [gamma, beta, mean, variance] = node.inputs.slice(1).map((value) => arrays.get(value!)!)
    const scale = gamma!.map((value, c) => value / Math.sqrt(variance![c]! + node.attributes.eps))
    const factor = tf.tensor(scale, [scale.length])
    const shift = tf.tensor(
      beta!.map((value, c) => value - mean![c]! * scale[c]!),
      [scale.length],
    )
    return (read) => activated(tf, tf.add(tf.mul(read(x!), factor), shift), node.attributes.activation)
  }
  if (isOp(node, 'add'))
    return (read) => activated(tf, tf.add(read(x!), read(node.inputs[1]!)), node.attributes.activation)
  if (isOp(node, 'elementwise') && node.attributes.kind === 'relu') return (read) => tf.relu(read(x!))
  if (isOp(node, 'concat'))
    return (read) =>
      tf.concat(
        node.inputs.map((part) => read(part!)),
        3,
      )
  if (isOp(node, 'reshape')) {
    const { shape } = node.outputs[0]!
    const flat = x!.shape.length === 4 && elementCount(x!.shape.slice(2)) > 1
    // In the order of [N, C, H, W].
    return (read) => tf.reshape(flat ? tf.transpose(read(x!), [0, 3, 1, 2]) : read(x!), shape)
  }
  throw new UnsupportedError(`${node.op} at ${node.path} is not written for TensorFlow.js`, {
    subject: node.op,
  })
}

function explicit([top, left, bottom, right]: Edges): ExplicitPadding {
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]
}

function activationOf(activation: 'none' | 'relu'): Activation {
  return activation === 'relu' ? 'relu' : 'linear'
}

function activated(tf: Tf, x: TfTensor, activation: 'none' | 'relu'): TfTensor {
  return activation === 'relu' ? tf.relu(x) : x
}
