import { TORCHVISION } from '../ts/data/preprocessing.js'
import type { Layer, Value } from '../ts/graph/graph.js'
import { Model } from '../ts/model/model.js'
import {
  adaptiveAveragePool,
  batchNorm2d,
  conv2d,
  dropout,
  flatten,
  initializers,
  linear,
  maxPool2d,
  Network,
  relu,
  sequential,
} from '../ts/nn/index.js'
import { checkOptions, count, flag, oneOf, probability, type Rules } from './options.js'

export interface VGGOptions {
  /** Default 1000. */
  readonly classes?: number
  /** Whether every convolution is followed by batch norm. Default false. */
  readonly batchNorm?: boolean
  /**
   * What stands before the three linear layers: `'7x7'` hands on 7 x 7 positions, as the paper and torchvision do
   * (default); `'global'` their mean, so that the first linear layer has 512 inputs in place of 25,088.
   */
  readonly pooling?: '7x7' | 'global'
  /** Probability of dropout after the two hidden layers of the classifier. Default 0.5. */
  readonly dropout?: number
}

const RULES: Rules<VGGOptions> = {
  classes: count,
  batchNorm: flag,
  pooling: oneOf('7x7', 'global'),
  dropout: probability,
}

/** Output channels of the 3x3 convolutions; after each group the image is halved. */
type Columns = readonly (readonly number[])[]

/** Table 1 of the paper, columns A, B, D and E. */
const A = [[64], [128], [256, 256], [512, 512], [512, 512]]
const B = [
  [64, 64],
  [128, 128],
  [256, 256],
  [512, 512],
  [512, 512],
]
const D = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
]
const E = [
  [64, 64],
  [128, 128],
  [256, 256, 256, 256],
  [512, 512, 512, 512],
  [512, 512, 512, 512],
]

function features(groups: Columns, batchNorm: boolean): Layer {
  const layers: Layer[] = []
  let input = 3
  for (const group of groups) {
    for (const output of group) {
      layers.push(conv2d(input, output, { kernel: 3, padding: 1 }))
      if (batchNorm) layers.push(batchNorm2d(output))
      layers.push(relu)
      input = output
    }
    layers.push(maxPool2d({ kernel: 2 }))
  }
  return sequential(...layers)
}

class VGG extends Network {
  readonly features
  readonly classifier
  private readonly positions: number

  constructor(groups: Columns, options: VGGOptions) {
    super()
    const { classes = 1000, batchNorm = false, pooling = '7x7', dropout: p = 0.5 } = options
    const init = { initializer: initializers.gaussian(0.01) }
    this.positions = pooling === 'global' ? 1 : 7
    this.features = features(groups, batchNorm)
    this.classifier = sequential(
      linear(512 * this.positions ** 2, 4096, init),
      relu,
      dropout(p),
      linear(4096, 4096, init),
      relu,
      dropout(p),
      linear(4096, classes, init),
    )
  }

  override forward(x: Value) {
    const pooled = adaptiveAveragePool(x.pipe(this.features), this.positions)
    return { logits: pooled.pipe(flatten, this.classifier) }
  }
}

function vgg(plain: string, groups: Columns) {
  return (options: VGGOptions = {}): Model => {
    const { classes = 1000, batchNorm = false } = options
    const name = batchNorm ? `${plain}_bn` : plain
    const given = checkOptions(name, options, RULES)
    return new Model(new VGG(groups, options), {
      name,
      classes,
      options: given,
      input: { channels: 3, size: 224 },
      preprocessing: TORCHVISION,
    })
  }
}

/**
 * VGG-11: Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
 * Table 1, column A. 132,863,336 parameters; images of at least 32 x 32.
 */
export const vgg11 = vgg('vgg11', A)
/** VGG-13 (Simonyan and Zisserman 2014, Table 1, column B). 133,047,848 parameters. */
export const vgg13 = vgg('vgg13', B)
/** VGG-16 (Simonyan and Zisserman 2014, Table 1, column D). 138,357,544 parameters; 37,694,248 with global pooling. */
export const vgg16 = vgg('vgg16', D)
/** VGG-19 (Simonyan and Zisserman 2014, Table 1, column E). 143,667,240 parameters; 43,003,944 with global pooling. */
export const vgg19 = vgg('vgg19', E)
