import { CAFFE, TORCHVISION } from '../ts/data/preprocessing.js'
import type { Layer, Value } from '../ts/graph/graph.js'
import { Model } from '../ts/model/model.js'
import {
  adaptiveAveragePool,
  conv2d,
  dropout,
  flatten,
  initializers,
  linear,
  localResponseNorm,
  maxPool2d,
  Network,
  relu,
  sequential,
  type LocalResponseNormOptions,
} from '../ts/nn/index.js'
import { checkOptions, count, norm, oneOf, probability, type Rules } from './options.js'

export interface AlexNetOptions {
  /** Default 1000. */
  readonly classes?: number
  /** Probability of dropout before the two hidden layers of the classifier. Default 0.5. */
  readonly dropout?: number
}

const RULES: Rules<AlexNetOptions> = { classes: count, dropout: probability }

/** The one column that the second paper's networks have, with torchvision's names and its pooling to 6 x 6. */
class AlexNet extends Network {
  readonly features
  readonly classifier

  constructor({ classes = 1000, dropout: p = 0.5 }: AlexNetOptions) {
    super()
    const init = { initializer: initializers.fanInUniform }
    this.features = sequential(
      conv2d(3, 64, { kernel: 11, stride: 4, padding: 2, ...init }),
      relu,
      maxPool2d({ kernel: 3, stride: 2 }),
      conv2d(64, 192, { kernel: 5, padding: 2, ...init }),
      relu,
      maxPool2d({ kernel: 3, stride: 2 }),
      conv2d(192, 384, { kernel: 3, padding: 1, ...init }),
      relu,
      conv2d(384, 256, { kernel: 3, padding: 1, ...init }),
      relu,
      conv2d(256, 256, { kernel: 3, padding: 1, ...init }),
      relu,
      maxPool2d({ kernel: 3, stride: 2 }),
    )
    this.classifier = sequential(
      dropout(p),
      linear(256 * 6 * 6, 4096),
      relu,
      dropout(p),
      linear(4096, 4096),
      relu,
      linear(4096, classes),
    )
  }

  override forward(x: Value) {
    const features = adaptiveAveragePool(x.pipe(this.features), 6)
    return { logits: features.pipe(flatten, this.classifier) }
  }
}

export interface OriginalAlexNetOptions extends AlexNetOptions {
  /** 2: the second, fourth and fifth convolution see half of their input, as on the paper's two GPUs. Default 2. */
  readonly groups?: 1 | 2
  /** Whether the first two layers are normalised before they are pooled, as in the paper, or after. */
  readonly order?: 'normaliseThenPool' | 'poolThenNormalise'
  /** Default: the paper's, n = 5, alpha = 1e-4, beta = 0.75, k = 2. */
  readonly localResponseNorm?: LocalResponseNormOptions
}

const ORIGINAL_RULES: Rules<OriginalAlexNetOptions> = {
  ...RULES,
  groups: oneOf(1, 2),
  order: oneOf('normaliseThenPool', 'poolThenNormalise'),
  localResponseNorm: norm,
}

/** Figure 2 of Krizhevsky et al. 2012; layers are named as in Caffe. */
class OriginalAlexNet extends Network {
  readonly conv1
  readonly pool1
  readonly conv2
  readonly pool2
  readonly conv3
  readonly conv4
  readonly conv5
  readonly pool5
  readonly fc6
  readonly drop6
  readonly fc7
  readonly drop7
  readonly fc8

  constructor(options: OriginalAlexNetOptions) {
    super()
    const { classes = 1000, groups = 2, order = 'normaliseThenPool', dropout: p = 0.5 } = options
    const normalise: Layer = (x) => localResponseNorm(x, options.localResponseNorm)
    const pool = () => maxPool2d({ kernel: 3, stride: 2 })
    const normalisedPool = () =>
      order === 'normaliseThenPool' ? sequential(normalise, pool()) : sequential(pool(), normalise)
    this.conv1 = conv2d(3, 96, { kernel: 11, stride: 4, ...biasZero })
    this.pool1 = normalisedPool()
    this.conv2 = conv2d(96, 256, { kernel: 5, padding: 2, groups, ...biasOne })
    this.pool2 = normalisedPool()
    this.conv3 = conv2d(256, 384, { kernel: 3, padding: 1, ...biasZero })
    this.conv4 = conv2d(384, 384, { kernel: 3, padding: 1, groups, ...biasOne })
    this.conv5 = conv2d(384, 256, { kernel: 3, padding: 1, groups, ...biasOne })
    this.pool5 = pool()
    this.fc6 = linear(256 * 6 * 6, 4096, biasOne)
    this.drop6 = dropout(p)
    this.fc7 = linear(4096, 4096, biasOne)
    this.drop7 = dropout(p)
    this.fc8 = linear(4096, classes, biasZero)
  }

  override forward(x: Value) {
    const low = x.pipe(this.conv1, relu, this.pool1, this.conv2, relu, this.pool2)
    const high = low.pipe(this.conv3, relu, this.conv4, relu, this.conv5, relu, this.pool5)
    return { logits: high.pipe(flatten, this.fc6, relu, this.drop6, this.fc7, relu, this.drop7, this.fc8) }
  }
}

/** "This initialization accelerates the early stages of learning by providing the ReLUs with positive inputs" (section 5). */
const biasOne = { initializer: initializers.gaussian(0.01), biasInitializer: initializers.constant(1) }
const biasZero = { initializer: initializers.gaussian(0.01) }

/**
 * AlexNet as torchvision has it: the single column of Krizhevsky 2014, "One weird trick for parallelizing
 * convolutional neural networks", section 5, with 256 maps in its fourth layer. 61,100,840 parameters; images of
 * at least 63 x 63.
 */
export function alexnet(options: AlexNetOptions = {}): Model {
  const { classes = 1000 } = options
  const name = 'alexnet'
  const given = checkOptions(name, options, RULES)
  return new Model(new AlexNet(options), {
    name,
    classes,
    options: given,
    input: { channels: 3, size: 224 },
    preprocessing: TORCHVISION,
  })
}

/**
 * AlexNet of Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional Neural
 * Networks", sections 3 and 5, for images of 227 x 227. 60,965,224 parameters; 62,378,344 with `groups: 1`.
 */
export function alexnetOriginal(options: OriginalAlexNetOptions = {}): Model {
  return original('alexnet_original', options)
}

/**
 * CaffeNet, Caffe's rendition of {@link alexnetOriginal} (Jia et al. 2014): it pools before it normalises, and its
 * normalisation has k = 1 and alpha divided by n. 60,965,224 parameters.
 */
export function caffenet(options: OriginalAlexNetOptions = {}): Model {
  return original('caffenet', {
    order: 'poolThenNormalise',
    localResponseNorm: { k: 1, divideAlpha: true },
    ...options,
  })
}

function original(name: string, options: OriginalAlexNetOptions): Model {
  const { classes = 1000 } = options
  const given = checkOptions(name, options, ORIGINAL_RULES)
  return new Model(new OriginalAlexNet(options), {
    name,
    classes,
    options: given,
    input: { channels: 3, size: 227, fixed: true },
    preprocessing: { ...CAFFE, size: 227 },
  })
}
