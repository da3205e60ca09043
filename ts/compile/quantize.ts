import type { Graph, Node, Value } from '../graph/graph.js'
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
    if (isOp(node, 'convolution'))
      return quantizedConvolution(node, inputs, { emit, bits, asIntegers, asFloats })
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
  { inputs: [image, , , residual], outputs: [y], attributes }: Node<'convolution'>,
  inputs: readonly (Value | null)[],
  { emit, bits, asIntegers, asFloats }: Context,
): readonly Value[] {
  const [, weight, bias = null] = inputs
  const result = bits.kept.has(y!) ? bits.formatOf(y!) : { dtype: 'f32' as const, scale: 1 }
  const inputScale = bits.formatOf(image!).scale
  const channels = { shape: [weight!.shape[0]!], dtype: 'f32' as const }
  const prepared = emit('quantizeWeights', [weight!, bias], { inputScale, outputScale: result.scale }, [
    { shape: weight!.shape, dtype: 's8' },
    channels,
    channels,
  ])
  const eightBits = result.dtype !== 'f32'
  const residualFactor = residual && eightBits ? bits.formatOf(residual).scale / result.scale : 1
  const added = !residual ? null : eightBits ? asIntegers(3) : asFloats(3)
  return emit(
    'quantizedConvolution',
    [asIntegers(0), ...prepared, added],
    { ...attributes, residualFactor },
    [{ shape: y!.shape, dtype: result.dtype }],
  )
}
