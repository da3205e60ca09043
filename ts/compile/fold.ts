import { isOp, type Rule } from './rewrite.js'

/**
 * Batch norm with running statistics becomes part of the convolution before it: its weight and bias are
 * computed anew whenever a parameter changes, not at each run.
 */
export const foldBatchNorm: Rule = (node, inputs, { emit, solelyUsed }) => {
  if (!isOp(node, 'batchNorm') || !solelyUsed(0)) return null
  const [x, ...statistics] = inputs
  const producer = x!.producer
  if (!isOp(producer, 'convolution')) return null
  const [image, weight, bias, residual] = producer.inputs
  if (residual || producer.attributes.activation !== 'none') return null
  const channels = { shape: [weight!.shape[0]!], dtype: weight!.dtype }
  const folded = emit('foldBatchNorm', [weight!, bias!, ...statistics], { eps: node.attributes.eps }, [
    weight!,
    channels,
  ])
  return emit(
    'convolution',
    [image!, folded[0]!, folded[1]!, null],
    producer.attributes,
    node.outputs,
    producer.path,
  )
}

/** Zero padding before a convolution becomes its own padding. */
export const mergePadding: Rule = (node, inputs, { emit }) => {
  if (!isOp(node, 'convolution')) return null
  const producer = inputs[0]!.producer
  if (!isOp(producer, 'pad') || producer.attributes.value !== 0) return null
  const [top, left, bottom, right] = producer.attributes.padding
  const own = node.attributes.padding
  const padding = [own[0] + top, own[1] + left, own[2] + bottom, own[3] + right] as const
  return emit(
    'convolution',
    [producer.inputs[0]!, ...inputs.slice(1)],
    { ...node.attributes, padding },
    node.outputs,
  )
}
