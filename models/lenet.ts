import { MNIST } from '../ts/data/preprocessing.js'
import type { Value } from '../ts/graph/graph.js'
import { Model } from '../ts/model/model.js'
import {
  affine,
  averagePool,
  connect,
  conv2d,
  convolution,
  flatten,
  initializers,
  linear,
  maxPool2d,
  Module,
  Network,
  Parameter,
  relu,
  scaleChannels,
  scaledTanh,
  sequential,
  sigmoid,
} from '../ts/nn/index.js'
import { checkOptions, count, oneOf, type Rules } from './options.js'

/**
 * Table I of LeCun et al. 1998: the S2 maps that each C3 map looks at. The first six take three neighbours,
 * the next nine four, the last all six.
 */
export const C3_CONNECTIONS: readonly (readonly number[])[] = [
  [0, 1, 2],
  [1, 2, 3],
  [2, 3, 4],
  [3, 4, 5],
  [0, 4, 5],
  [0, 1, 5],
  [0, 1, 2, 3],
  [1, 2, 3, 4],
  [2, 3, 4, 5],
  [0, 3, 4, 5],
  [0, 1, 4, 5],
  [0, 1, 2, 5],
  [0, 1, 3, 4],
  [1, 2, 4, 5],
  [0, 2, 3, 5],
  [0, 1, 2, 3, 4, 5],
]

type Squash = <C extends number>(x: Value<C>) => Value<C>

/** "The four inputs to a unit in S2 are added, then multiplied by a trainable coefficient, and added to a trainable bias." */
class Subsampling extends Module {
  readonly weight: Parameter
  readonly bias: Parameter

  constructor(maps: number) {
    super()
    this.weight = new Parameter([maps], 'coefficient', initializers.constant(0.25))
    this.bias = new Parameter([maps], 'bias', initializers.constant(0))
  }

  override forward(x: Value): Value {
    // The sum of four is four times their mean.
    const coefficient = affine(x.graph.parameter(this.weight), 4)
    return scaleChannels(averagePool(x, { kernel: 2 }), coefficient, x.graph.parameter(this.bias))
  }
}

/** Convolution in which an output map sees only the input maps of a connection table: one kernel a connection. */
class ConnectedConvolution extends Module {
  readonly weight: Parameter
  readonly bias: Parameter
  private readonly indices: readonly number[]

  constructor(
    private readonly inputs: number,
    private readonly connections: readonly (readonly number[])[],
    kernel: number,
  ) {
    super()
    this.indices = connections.flatMap((sources, output) => sources.map((source) => output * inputs + source))
    this.weight = new Parameter(
      [this.indices.length, kernel, kernel],
      'convolution',
      (data, _shape, random) => {
        let offset = 0
        for (const sources of connections) {
          const count = sources.length * kernel * kernel
          initializers.uniform(2.4 / count)(data.subarray(offset, offset + count), [count], random)
          offset += count
        }
      },
    )
    this.bias = new Parameter([connections.length], 'bias', initializers.constant(0))
  }

  override forward(x: Value): Value {
    const weight = connect(x.graph.parameter(this.weight), this.indices, this.connections.length, this.inputs)
    return convolution(x, weight, { bias: x.graph.parameter(this.bias) })
  }
}

const lecun = { initializer: initializers.lecun }

/** Figure 2 of the paper, left to right. */
class LeNet5 extends Network {
  readonly c1 = conv2d(1, 6, { kernel: 5, ...lecun })
  readonly s2 = new Subsampling(6)
  readonly c3 = new ConnectedConvolution(6, C3_CONNECTIONS, 5)
  readonly s4 = new Subsampling(16)
  readonly c5 = conv2d(16, 120, { kernel: 5, ...lecun })
  readonly f6 = linear(120, 84, lecun)
  readonly output

  constructor(
    classes: number,
    private readonly squash: Squash,
  ) {
    super()
    this.output = linear(84, classes, lecun)
  }

  override forward(x: Value) {
    const { squash } = this
    const low = x.pipe(this.c1, squash, this.s2, squash)
    const high = low.pipe(this.c3, squash, this.s4, squash, this.c5, squash)
    return { logits: high.pipe(flatten, this.f6, squash, this.output) }
  }
}

class ModernLeNet extends Network {
  readonly features = sequential(
    conv2d(1, 20, { kernel: 5, padding: 2 }),
    relu,
    maxPool2d({ kernel: 2 }),
    conv2d(20, 50, { kernel: 5, padding: 2 }),
    relu,
    maxPool2d({ kernel: 2 }),
  )
  readonly classifier

  constructor(classes: number) {
    super()
    this.classifier = sequential(linear(50 * 8 * 8, 500), relu, linear(500, classes))
  }

  override forward(x: Value) {
    return { logits: x.pipe(this.features, flatten, this.classifier) }
  }
}

const input = { channels: 1, size: 32, fixed: true }
/** Digits of 28 x 28 in a frame, so that strokes at the edge can lie in the middle of a kernel too (section II.B). */
const preprocessing = { ...MNIST, padding: 2 }

export interface LeNetOptions {
  /** Default 10. */
  readonly classes?: number
  /** Squashing function: 1.7159 tanh(2x/3), the paper's (default), or the logistic function. */
  readonly squash?: 'scaledTanh' | 'sigmoid'
}

const RULES: Rules<LeNetOptions> = { classes: count, squash: oneOf('scaledTanh', 'sigmoid') }

/**
 * LeNet-5 for 32 x 32 grey images: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to
 * Document Recognition", section II.B, with a dense output layer in place of the RBF units. 60,000 parameters before
 * the output layer, which has 850.
 */
export function lenet5(options: LeNetOptions = {}): Model {
  const { classes = 10, squash = 'scaledTanh' } = options
  const name = 'lenet5'
  const given = checkOptions(name, options, RULES)
  return new Model(new LeNet5(classes, squash === 'sigmoid' ? sigmoid : scaledTanh), {
    name,
    classes,
    options: given,
    input,
    preprocessing,
  })
}

export interface ModernLeNetOptions {
  /** Default 10. */
  readonly classes?: number
}

/**
 * LeNet-5 as today's tutorials have it, for 32 x 32 grey images: ReLU, max pooling, 20 and 50 maps, 500 hidden
 * units. 1,631,080 parameters.
 */
export function lenet5Modern(options: ModernLeNetOptions = {}): Model {
  const { classes = 10 } = options
  const name = 'lenet5_modern'
  const given = checkOptions(name, options, { classes: count })
  return new Model(new ModernLeNet(classes), { name, classes, options: given, input, preprocessing })
}
