import type { Instruction, Plan } from '../compile/plan.js'
import type { Spec, ValueDType } from '../graph/graph.js'
import type { Attributes, OpName } from '../graph/schema.js'
import { elementCount } from '../tensor.js'

/** An instruction with the shapes of its operands: all that its cost depends on. */
export interface Problem<Op extends OpName = OpName> {
  readonly op: Op
  readonly attributes: Attributes<Op>
  /** Null where an optional operand is absent. */
  readonly inputs: readonly (Spec | null)[]
  readonly outputs: readonly (Spec | null)[]
}

/** The problem that an instruction of a plan solves. */
export function problemOf({ op, attributes, inputs, outputs }: Instruction, { buffers }: Plan): Problem {
  const specs = (numbers: readonly number[]) => numbers.map((number) => buffers[number] ?? null)
  return { op, attributes, inputs: specs(inputs), outputs: specs(outputs) }
}

/**
 * Additions, multiplications, comparisons and functions such as `exp`, each counted as one. A convolution counts
 * what the direct algorithm does, padding included, whatever algorithm runs. Bias, sum and ReLU behind it or behind
 * a linear layer are not counted, as in published figures; integers and moves are not either.
 */
export function flopsOf(problem: Problem): number {
  const count = FLOPS[problem.op] as (problem: Problem) => number
  return count(problem)
}

/** Bytes of all operands, each read or written once: the least that is moved where no cache holds them. */
export function bytesOf({ op, inputs, outputs }: Problem): number {
  const read = sum(inputs.map(bytes))
  const written = sum(outputs.map(bytes))
  if (op === 'clear') return written
  // These read only what they hand on.
  if (op === 'slice' || op === 'gatherRows' || op === 'padBackward') return 2 * written
  return read + written
}

const BYTES: Readonly<Record<ValueDType, number>> = {
  f32: 4,
  bf16: 2,
  f16: 2,
  u8: 1,
  s8: 1,
  i32: 4,
  opaque: 0,
}

function bytes(operand: Spec | null): number {
  return operand ? elementCount(operand.shape) * BYTES[operand.dtype] : 0
}

function elements(operand: Spec | null | undefined): number {
  return operand ? elementCount(operand.shape) : 0
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}

/** A multiply and an add for each weight that one output channel has, at each element of the outputs' side. */
function products(y: Spec | null | undefined, weight: Spec | null | undefined): number {
  return 2 * elements(y) * (elements(weight) / weight!.shape[0]!)
}

/** Counts so many for each element of the first output. */
const each =
  (count: number) =>
  ({ outputs }: Problem) =>
    count * elements(outputs[0])

const relu = (activation: 'none' | 'relu') => Number(activation === 'relu')

/** Scaling of the gradient and weight decay, which all optimizers have. */
const gradient = ({ weightDecay }: { readonly weightDecay: number }) => (weightDecay === 0 ? 1 : 3)

const nothing = () => 0

const FLOPS: { readonly [Op in OpName]: (problem: Problem<Op>) => number } = {
  convolution: ({ inputs, outputs }) => products(outputs[0], inputs[1]),
  convolutionBackwardData: ({ inputs }) => products(inputs[0], inputs[1]),
  convolutionBackwardWeights: ({ inputs, outputs }) => products(inputs[1], outputs[0]),
  linear: ({ inputs, outputs }) => products(outputs[0], inputs[1]),
  linearBackwardData: ({ inputs }) => products(inputs[0], inputs[1]),
  linearBackwardWeights: ({ inputs, outputs }) => products(inputs[1], outputs[0]),

  pooling: ({ outputs, attributes: { kernel } }) => elements(outputs[0]) * kernel[0] * kernel[1],
  // The gradient of a maximum goes to one place, that of a mean to all.
  poolingBackward: ({ inputs, attributes: { kind, kernel } }) =>
    elements(inputs[0]) * (kind === 'max' ? 1 : kernel[0] * kernel[1]),
  adaptiveAveragePooling: ({ inputs }) => elements(inputs[0]),
  adaptiveAveragePoolingBackward: each(1),

  batchNorm: ({ outputs, attributes }) => elements(outputs[0]) * (2 + relu(attributes.activation)),
  // Mean 1, variance 3, the norm itself 2.
  batchNormTraining: ({ outputs, attributes }) => elements(outputs[0]) * (6 + relu(attributes.activation)),
  // Sums of dy and of dy times the normalised x 4; of dx three terms, or one where the statistics are constants.
  batchNormBackward: ({ outputs, attributes: { activation, runningStatistics } }) =>
    elements(outputs[0]) * (4 + (runningStatistics ? 1 : 4) + relu(activation)),
  foldBatchNorm: each(1),
  // Square, sum over the window, scale and shift, power, product.
  localResponseNorm: ({ outputs, attributes: { size } }) => elements(outputs[0]) * (size + 4),
  localResponseNormBackward: ({ outputs, attributes: { size } }) => elements(outputs[0]) * (2 * size + 7),

  elementwise: ({ outputs, attributes: { kind } }) =>
    elements(outputs[0]) * { relu: 1, sigmoid: 1, tanh: 3, linear: 2 }[kind],
  elementwiseBackward: ({ outputs, attributes: { kind } }) =>
    elements(outputs[0]) * { relu: 1, sigmoid: 3, tanh: 4, linear: 1 }[kind],
  add: ({ outputs, attributes }) => elements(outputs[0]) * (1 + relu(attributes.activation)),
  scaleChannels: ({ inputs, outputs }) => elements(outputs[0]) * (inputs[2] ? 2 : 1),
  scaleChannelsBackward: ({ outputs }) => elements(outputs[0]) * (outputs[2] ? 4 : 3),
  // Maximum, difference, exponential, sum, quotient.
  softmax: each(5),
  softmaxBackward: each(4),
  dropout: each(1),
  // Difference, square and sum for each pair of a row and a centre.
  radialBasis: ({ inputs, outputs }) => 3 * elements(outputs[0]) * inputs[1]!.shape[1]!,
  radialBasisBackward: ({ inputs, outputs }) =>
    3 * elements(inputs[2]) * inputs[1]!.shape[1]! * (outputs[1] ? 2 : 1),

  concat: nothing,
  slice: nothing,
  sliceBackward: nothing,
  subsamplePad: nothing,
  subsamplePadBackward: nothing,
  pad: nothing,
  padBackward: nothing,
  reshape: nothing,
  normalizeImage: each(2),
  scatterRows: nothing,
  gatherRows: nothing,

  quantize: each(1),
  dequantize: each(1),
  // A magnitude and a quotient for each weight.
  quantizeWeights: each(2),
  quantizedConvolution: ({ inputs, outputs }) => products(outputs[0], inputs[1]),

  softmaxCrossEntropy: ({ inputs }) => 6 * elements(inputs[0]),
  meanSquaredError: ({ inputs }) => 4 * elements(inputs[0]),
  radialBasisLoss: ({ inputs }) => 4 * elements(inputs[0]),

  sgd: ({ outputs, attributes: { momentum, nesterov, ...rest } }) =>
    elements(outputs[0]) * (gradient(rest) + (momentum === 0 ? 0 : 2) + (nesterov ? 2 : 0) + 2),
  rmsProp: ({ outputs, attributes: { momentum, ...rest } }) =>
    elements(outputs[0]) * (gradient(rest) + 7 + (momentum === 0 ? 0 : 2) + 2),
  adam: ({ outputs, attributes }) => elements(outputs[0]) * (gradient(attributes) + 3 + 4 + 7),
  scaleGradient: each(1),
  unscaleGradients: () => 3,
  gradientNorm: ({ inputs }) => 2 * sum(inputs.map(elements)),
  accumulate: each(1),
  clear: nothing,
  movingAverage: each(3),
}
