import { TORCHVISION, type Preprocessing } from '../ts/data/preprocessing.js'
import type { Value } from '../ts/graph/graph.js'
import {
  affine,
  batchNorm2d,
  concat,
  conv2d,
  Module,
  relu,
  sliceChannels,
  type Conv2dOptions,
} from '../ts/nn/index.js'

/**
 * What the published GoogLeNet and Inception v3 are built of: a convolution without bias, batch norm with an
 * epsilon of 1e-3, and ReLU. Its parts are named as in torchvision.
 */
export class NormalisedConvolution extends Module {
  readonly conv
  readonly bn

  constructor(input: number, output: number, options: Conv2dOptions) {
    super()
    this.conv = conv2d(input, output, { ...options, bias: false })
    this.bn = batchNorm2d(output, { eps: 1e-3 })
  }

  override forward(x: Value): Value {
    return x.pipe(this.conv, this.bn, relu)
  }
}

/** Mean and deviation of the input that Inception networks are trained on, in every channel. */
const HALF = 0.5

/**
 * Takes images in torchvision's normalisation to the one that the published weights were trained on: mean and
 * deviation 0.5, which is [-1, 1].
 */
export function transformInput(x: Value): Value {
  const { mean, deviation } = TORCHVISION
  const channels = mean.map((channelMean, c) =>
    affine(sliceChannels(x, c, c + 1), deviation[c]! / HALF, (channelMean - HALF) / HALF),
  )
  return concat(channels)
}

/** Preprocessing that gives a network what {@link transformInput} would have made of `preprocessing`. */
export function withTransformedInput(preprocessing: Preprocessing): Preprocessing {
  const half = preprocessing.mean.map(() => HALF)
  return { ...preprocessing, mean: half, deviation: half }
}

export interface InceptionInputOptions {
  /**
   * Whether the network first takes its input from torchvision's normalisation to mean and deviation 0.5, for
   * which the published weights were trained. Default false: the preprocessing does it.
   */
  readonly transformInput?: boolean
}
