import { CIFAR, TORCHVISION } from '../ts/data/preprocessing.js'
import type { Layer, Value } from '../ts/graph/graph.js'
import { Model } from '../ts/model/model.js'
import {
  averagePool2d,
  batchNorm2d,
  concat,
  conv2d,
  dropout,
  flatten,
  globalAveragePool,
  initializers,
  linear,
  maxPool2d,
  Module,
  named,
  Network,
  relu,
} from '../ts/nn/index.js'
import { checkOptions, count, positive, probability, share, type Rule, type Rules } from './options.js'

interface Shape {
  /** Channels that a layer adds: k in the paper. */
  readonly growth: number
  /** Channels between the two convolutions of a layer, in units of `growth`. */
  readonly bottleneck: number
  /** Share of the channels that a transition keeps: theta in the paper. */
  readonly compression: number
  readonly eps: number
  readonly dropout: number
}

/** No bias: batch norm follows, if only after the next concatenation. */
const convolution = { bias: false, initializer: initializers.he('fanIn') }

/** H of section 3, with the bottleneck: BN, ReLU, 1x1 convolution to 4k channels, BN, ReLU, 3x3 convolution to k. */
function denseLayer(input: number, { growth, bottleneck, eps, dropout: p }: Shape): Module {
  const width = bottleneck * growth
  return named({
    norm1: batchNorm2d(input, { eps }),
    relu1: relu,
    conv1: conv2d(input, width, { kernel: 1, ...convolution }),
    norm2: batchNorm2d(width, { eps }),
    relu2: relu,
    conv2: conv2d(width, growth, { kernel: 3, padding: 1, ...convolution }),
    dropout: dropout(p),
  })
}

/** Equation 2: a layer sees the joined maps of all layers before it. */
class DenseBlock extends Module {
  private readonly layers: readonly Module[]

  constructor(input: number, layers: number, shape: Shape) {
    super()
    this.layers = Array.from({ length: layers }, (_, i) => denseLayer(input + i * shape.growth, shape))
  }

  override children(): Iterable<readonly [string, Module]> {
    return this.layers.map((layer, i) => [`denselayer${i + 1}`, layer])
  }

  override forward(x: Value): Value {
    let maps: readonly Value[] = [x]
    for (const layer of this.layers) maps = [...maps, layer.call(concat(maps))]
    return concat(maps)
  }
}

/** Between two blocks: 1x1 convolution that compresses, average pooling that halves the image. */
function transition(input: number, output: number, eps: number): Module {
  return named({
    norm: batchNorm2d(input, { eps }),
    relu,
    conv: conv2d(input, output, { kernel: 1, ...convolution }),
    pool: averagePool2d({ kernel: 2 }),
  })
}

/** Table 1, top to bottom, with the names that torchvision's checkpoints have. */
class DenseNet extends Network {
  readonly features
  readonly classifier

  constructor(
    stem: Readonly<Record<string, Layer>>,
    input: number,
    blocks: Blocks,
    classes: number,
    shape: Shape,
  ) {
    super()
    const { growth, compression, eps } = shape
    const layers = { ...stem }
    let channels = input
    blocks.forEach((count, i) => {
      if (i > 0) {
        const compressed = Math.floor(channels * compression)
        layers[`transition${i}`] = transition(channels, compressed, eps)
        channels = compressed
      }
      layers[`denseblock${i + 1}`] = new DenseBlock(channels, count, shape)
      channels += count * growth
    })
    layers[`norm${blocks.length + 1}`] = batchNorm2d(channels, { eps })
    this.features = named(layers)
    this.classifier = linear(channels, classes)
  }

  override forward(x: Value) {
    return { logits: x.pipe(this.features, relu, globalAveragePool, flatten, this.classifier) }
  }
}

/** Layers of each dense block. */
type Blocks = readonly number[]

export interface DenseNetOptions {
  /** Default 1000. */
  readonly classes?: number
  /** Channels that a layer adds. Default: that of Table 1, 32, or 48 in DenseNet-161. */
  readonly growth?: number
  /** Share of the channels that a transition keeps, above 0 and at most 1. Default 0.5. */
  readonly compression?: number
  /** Channels between the two convolutions of a layer, in units of `growth`. Default 4. */
  readonly bottleneck?: number
  /** Epsilon of batch norm. Default 1e-5. */
  readonly eps?: number
  /** Probability of dropout after each dense layer; section 4.2 has 0.2 without augmentation. Default 0. */
  readonly dropout?: number
}

const RULES: Rules<DenseNetOptions> = {
  classes: count,
  growth: count,
  compression: share,
  bottleneck: count,
  eps: positive,
  dropout: probability,
}

function shapeOf(options: DenseNetOptions, growth: number): Shape {
  return { growth, bottleneck: 4, compression: 0.5, eps: 1e-5, dropout: 0, ...options }
}

/** Published files spell `denselayer1.norm.1.weight` where the network says `denselayer1.norm1.weight`. */
const checkpointName = (name: string): string => name.replace(/(denselayer\d+\.(?:norm|conv))\.(\d)/, '$1$2')

function densenet(name: string, growth: number, blocks: Blocks) {
  return (options: DenseNetOptions = {}): Model => {
    const { classes = 1000 } = options
    const given = checkOptions(name, options, RULES)
    const shape = shapeOf(options, growth)
    const input = 2 * shape.growth
    const stem = {
      conv0: conv2d(3, input, { kernel: 7, stride: 2, padding: 3, ...convolution }),
      norm0: batchNorm2d(input, { eps: shape.eps }),
      relu0: relu,
      pool0: maxPool2d({ kernel: 3, stride: 2, padding: 1 }),
    }
    return new Model(new DenseNet(stem, input, blocks, classes, shape), {
      name,
      classes,
      options: given,
      input: { channels: 3, size: 224 },
      preprocessing: TORCHVISION,
      checkpointName,
    })
  }
}

/**
 * DenseNet-121: Huang, Liu, van der Maaten and Weinberger 2016, "Densely Connected Convolutional Networks",
 * Table 1. 7,978,856 parameters; images of at least 29 x 29.
 */
export const densenet121 = densenet('densenet121', 32, [6, 12, 24, 16])
/** DenseNet-161 with k = 48, one of the models that the authors of the paper published. 28,681,000 parameters. */
export const densenet161 = densenet('densenet161', 48, [6, 12, 36, 24])
/** DenseNet-169 (Huang et al. 2016, Table 1). 14,149,480 parameters. */
export const densenet169 = densenet('densenet169', 32, [6, 12, 32, 32])
/** DenseNet-201 (Huang et al. 2016, Table 1). 20,013,928 parameters. */
export const densenet201 = densenet('densenet201', 32, [6, 12, 48, 32])
/** DenseNet-264 (Huang et al. 2016, Table 1). 33,337,704 parameters. */
export const densenet264 = densenet('densenet264', 32, [6, 12, 64, 48])

export interface DenseNetBCOptions extends DenseNetOptions {
  /** Layers that learn; depth - 4 is a multiple of 6. Default 100. */
  readonly depth?: number
}

/** The bound is there for files that ask for what no memory holds. */
const DEPTH: Rule = {
  expected: '6n + 4 with n from 1 to 166',
  holds: (value) =>
    count.holds(value) && Number(value) >= 10 && Number(value) <= 1000 && Number(value) % 6 === 4,
}
const BC_RULES: Rules<DenseNetBCOptions> = { ...RULES, depth: DEPTH }

/**
 * DenseNet-BC for CIFAR and SVHN (Huang et al. 2016, section 3, "Implementation Details"): three blocks of equal
 * depth on 32 x 32 images, 10 classes and k = 12 by default. 769,162 parameters with depth 100.
 *
 * @throws InvalidArgumentError when three equal blocks of two-convolution layers do not add up to `depth`
 */
export function densenetBC(options: DenseNetBCOptions = {}): Model {
  const { depth = 100, classes = 10 } = options
  const name = 'densenet_bc'
  const given = checkOptions(name, options, BC_RULES)
  const layers = (depth - 4) / 6
  const shape = shapeOf(options, 12)
  const input = 2 * shape.growth
  const stem = { conv0: conv2d(3, input, { kernel: 3, padding: 1, ...convolution }) }
  return new Model(new DenseNet(stem, input, [layers, layers, layers], classes, shape), {
    name,
    classes,
    options: given,
    input: { channels: 3, size: 32 },
    preprocessing: CIFAR,
    checkpointName,
  })
}
