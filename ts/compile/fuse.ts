import type { Node, Value } from '../graph/graph.js'
import { isOp, type Rule } from './rewrite.js'

/** A convolution that can still take in a residual: nothing is fused behind it yet. */
function openConvolution(value: Value | null | undefined): Node<'convolution'> | null {
  const producer = value?.producer ?? null
  if (!isOp(producer, 'convolution')) return null
  return producer.inputs[3] === null && producer.attributes.activation === 'none' ? producer : null
}

/** Where a node stands in its graph: a later operand has its residual ready. */
function position(node: Node): number {
  return node.outputs[0]!.graph.nodes.indexOf(node)
}

/** The sum of a convolution and something else is computed by the convolution. */
export const fuseResidual: Rule = (node, inputs, { emit, solelyUsed }) => {
  if (!isOp(node, 'add') || inputs[0] === inputs[1]) return null
  const candidates = [0, 1]
    .map((operand) => ({
      operand,
      convolution: solelyUsed(operand) ? openConvolution(inputs[operand]) : null,
    }))
    .filter(
      (candidate): candidate is { operand: number; convolution: Node<'convolution'> } =>
        candidate.convolution !== null,
    )
    .sort((a, b) => position(b.convolution) - position(a.convolution))
  const chosen = candidates[0]
  if (!chosen) return null
  const residual = inputs[1 - chosen.operand]!
  const { inputs: operands, attributes, path } = chosen.convolution
  const { activation } = node.attributes
  return emit(
    'convolution',
    [...operands.slice(0, 3), residual],
    { ...attributes, activation },
    node.outputs,
    path,
  )
}

/** ReLU is computed by the operation before it. */
export const fuseRelu: Rule = (node, inputs, { emit, solelyUsed }) => {
  if (!isOp(node, 'elementwise') || node.attributes.kind !== 'relu' || !solelyUsed(0)) return null
  const producer = inputs[0]!.producer
  if (
    isOp(producer, 'convolution') ||
    isOp(producer, 'batchNorm') ||
    isOp(producer, 'batchNormTraining') ||
    isOp(producer, 'linear') ||
    isOp(producer, 'add')
  ) {
    const { op, inputs: operands, attributes, outputs, path } = producer
    if (attributes.activation !== 'none') return null
    return emit(op, operands, { ...attributes, activation: 'relu' }, outputs, path)
  }
  return null
}
