import type { Graph, Node, Value } from '../graph/graph.js'
import type { Shape } from '../tensor.js'
import { EightBits } from './eight-bit.js'
import { isOp, rewrite, type Emit } from './rewrite.js'

/**
 * Convolutions on integers of 8 bits: images with one scale each, weights with one a channel, sums in 32 bits
 * (Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
 * inference", without zero points). What lies between two of them stays in 8 bits where it can; all else computes
 * in float32.
 *
 * @param graph - optimised, of an evaluation, in float32
 * @param rangeOf - the largest magnitude of an activation
 */
export function quantize(graph: Graph, rangeOf: (value: Value) => number): Graph {
  const bits = new EightBits(graph, rangeOf)
  const integers = new Map<Value, Value>()
  const floats = new Map<Value, Value>()
  return rewrite(graph, (node, inputs, { emit }) => {
    const asIntegers = (i: number): Value => {
      const [original, value] = [node.inputs[i]!, inputs[i]!]
      if (bits.kept.has(original)) return value
      const { dtype, scale } = bits.formatOf(original)
      const made =
        integers.get(original) ?? emit('quantize', [value], { scale }, [{ shape: value.shape, dtype }])[0]!
      integers.set(original, made)
      return made
    }
    const asFloats = (i: number): Value | null => {
      const [original, value] = [node.inputs[i], inputs[i]]
      if (!original || !value || !bits.kept.has(original)) return value ?? null
      const { scale } = bits.formatOf(original)
      const made =
        floats.get(original) ??
        emit('dequantize', [value], { scale }, [{ shape: value.shape, dtype: 'f32' }])[0]!
      floats.set(original, made)
      return made
    }
    const context = { emit, bits, asIntegers, asFloats }
    if (isOp(node, 'convolution')) return quantizedConvolution(node, inputs, context)
    if (isOp(node, 'linear') && bits.multiplies(node)) return quantizedLinear(node, inputs, context)
    const [y] = node.outputs
    if (bits.kept.has(y!)) {
      const { dtype } = bits.formatOf(y!)
      return emit(
        node.op,
        inputs.map((_, i) => asIntegers(i)),
        node.attributes,
        [{ shape: y!.shape, dtype }],
      )
    }
    if (!node.inputs.some((input) => input && bits.kept.has(input))) return null
    return emit(
      node.op,
      inputs.map((_, i) => asFloats(i)),
      node.attributes,
      node.outputs,
    )
  })
}

interface Context {
  readonly emit: Emit
  readonly bits: EightBits
  readonly asIntegers: (input: number) => Value
  readonly asFloats: (input: number) => Value | null
}

function quantizedConvolution(
  node: Node<'convolution'>,
  inputs: readonly (Value | null)[],
  context: Context,
): readonly Value[] {
  const { emit, bits, asIntegers, asFloats } = context
  const [, , , residual] = node.inputs
  const { dtype, scale } = resultOf(node, bits)
  const prepared = preparedWeights(node, inputs, context, node.inputs[1]!.shape)
  const residualFactor = residual && dtype !== 'f32' ? bits.formatOf(residual).scale / scale : 1
  const added = !residual ? null : dtype === 'f32' ? asFloats(3) : asIntegers(3)
  const attributes = { ...node.attributes, residualFactor }
  return emit('quantizedConvolution', [asIntegers(0), ...prepared, added], attributes, [
    { shape: node.outputs[0]!.shape, dtype },
  ])
}

/** As a convolution of images of one pixel, of which the library has kernels that are as fast. */
function quantizedLinear(
  node: Node<'linear'>,
  inputs: readonly (Value | null)[],
  context: Context,
): readonly Value[] {
  const { emit, bits, asIntegers } = context
  const image = ({ shape }: Value) => [...shape, 1, 1]
  const { dtype } = resultOf(node, bits)
  const prepared = preparedWeights(node, inputs, context, image(node.inputs[1]!))
  const [x, y] = [asIntegers(0), node.outputs[0]!]
  const pixels = emit('reshape', [x], {}, [{ shape: image(x), dtype: x.dtype }])
  const attributes = { ...POINTWISE, activation: node.attributes.activation, residualFactor: 1 }
  const result = emit('quantizedConvolution', [...pixels, ...prepared, null], attributes, [
    { shape: image(y), dtype },
  ])
  return emit('reshape', result, {}, [{ shape: y.shape, dtype }])
}

const POINTWISE = { stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1 } as const

/** Type and scale in which a product is given. */
function resultOf({ outputs: [y] }: Node, bits: EightBits): { dtype: 'u8' | 's8' | 'f32'; scale: number } {
  return bits.kept.has(y!) ? bits.formatOf(y!) : { dtype: 'f32', scale: 1 }
}

/** Weights, factors and biases of a quantised convolution: constants that follow from the parameters. */
function preparedWeights(
  node: Node,
  [, weight, bias = null]: readonly (Value | null)[],
  { emit, bits }: Context,
  shape: Shape,
): readonly Value[] {
  const scales = {
    inputScale: bits.formatOf(node.inputs[0]!).scale,
    outputScale: resultOf(node, bits).scale,
  }
  const channels = { shape: [shape[0]!], dtype: 'f32' as const }
  return emit('quantizeWeights', [weight!, bias], scales, [{ shape, dtype: 's8' }, channels, channels])
}
