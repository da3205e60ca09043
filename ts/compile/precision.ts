import { InvalidArgumentError } from '../errors.js'
import type { Graph } from '../graph/graph.js'
import type { OpName } from '../graph/schema.js'
import { rewrite } from './rewrite.js'

/** Element type of the activations of a program; parameters, statistics, losses and sums are float32 always. */
export type Precision = 'f32' | 'bf16' | 'f16'

/** What an inference may compute in: also `'int8'`, products of integers of 8 bits. */
export type InferencePrecision = Precision | 'int8'

const PRECISIONS: readonly string[] = ['f32', 'bf16', 'f16'] satisfies Precision[]

/**
 * The option of that name.
 * @throws InvalidArgumentError for anything else
 */
export function parsePrecision(precision: InferencePrecision = 'f32'): Precision {
  if (PRECISIONS.includes(precision)) return precision as Precision
  const hint = precision === 'int8' ? ', which is for inference only' : ''
  throw new InvalidArgumentError(`precision must be f32, bf16 or f16, got ${precision}${hint}`, {
    subject: 'precision',
    expected: PRECISIONS.join(', '),
    got: precision,
  })
}

/** Operations whose result may have fewer digits. The others need all that they are given, or have parameters alone. */
const ACTIVATIONS: ReadonlySet<OpName> = new Set<OpName>([
  'convolution',
  'pooling',
  'adaptiveAveragePooling',
  'batchNorm',
  'batchNormTraining',
  'localResponseNorm',
  'linear',
  'elementwise',
  'add',
  'scaleChannels',
  'dropout',
  'concat',
  'slice',
  'subsamplePad',
  'pad',
  'reshape',
])

/**
 * Gives activations another element type. Operations take operands of mixed types: where one is of 16 bits, they
 * compute on 16-bit operands, sum in float32 and round the result to its own type. So nothing need be cast here, and
 * gradients take the types of what they are gradients of: float32 for parameters.
 */
export function inPrecision(graph: Graph, precision: Precision): Graph {
  if (precision === 'f32') return graph
  const results = new Set(graph.outputs.values())
  return rewrite(graph, ({ op, attributes, outputs }, inputs, { emit }) => {
    const [y, ...others] = outputs
    if (!ACTIVATIONS.has(op) || y!.dtype !== 'f32' || results.has(y!)) return null
    return emit(op, inputs, attributes, [{ shape: y!.shape, dtype: precision }, ...others])
  })
}
