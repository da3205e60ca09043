import { CIFAR, TORCHVISION } from '../ts/data/preprocessing.js'
import type { Layer, Value } from '../ts/graph/graph.js'
import { Model } from '../ts/model/model.js'
import {
  add,
  batchNorm2d,
  conv2d,
  flatten,
  globalAveragePool,
  initializers,
  linear,
  maxPool2d,
  Module,
  Network,
  relu,
  sequential,
  subsamplePad,
} from '../ts/nn/index.js'
import { checkOptions, count, flag, oneOf, positive, type Rules } from './options.js'

export interface ResNetOptions {
  /** Default 1000. */
  readonly classes?: number
  /**
   * Which convolution of a bottleneck has the stride: the 3x3 (`'v1.5'`, default, as in torchvision) or the
   * first 1x1 (`'v1'`, as in the paper and in Caffe's and Keras' checkpoints).
   */
  readonly version?: 'v1' | 'v1.5'
  /** Whether convolutions have a bias, as in Keras' checkpoints. Default false. */
  readonly bias?: boolean
  /** Epsilon of batch norm. Default 1e-5. */
  readonly eps?: number
  /** `false` leaves the shortcuts out: the plain network of the paper's degradation experiment. Default true. */
  readonly residual?: boolean
  /**
   * Whether the last batch norm of a block starts at 0, so that every block starts as the identity (Goyal et al.
   * 2017, section 5.1). Default false.
   */
  readonly zeroInitResidual?: boolean
}

const RULES: Rules<ResNetOptions> = {
  classes: count,
  version: oneOf('v1', 'v1.5'),
  bias: flag,
  eps: positive,
  residual: flag,
  zeroInitResidual: flag,
}

interface BlockOptions extends Required<Omit<ResNetOptions, 'classes'>> {
  readonly stride: number
}

/** The shortcut that every block but the first of a layer has. */
const identity = (x: Value): Value => x

/** Shortcut of a block, by option B: a projection where shapes differ. Null in a plain network. */
function shortcut(
  input: number,
  output: number,
  { stride, bias, eps, residual }: BlockOptions,
): Layer | null {
  if (!residual) return null
  if (stride === 1 && input === output) return identity
  return sequential(conv2d(input, output, { kernel: 1, stride, bias }), batchNorm2d(output, { eps }))
}

/** y + shortcut(x), then ReLU (equation 2). */
function join(y: Value, x: Value, shortcut: Layer | null): Value {
  return relu(shortcut ? add(y, x.pipe(shortcut)) : y)
}

/** Figure 5, left: two 3x3 convolutions. */
class BasicBlock extends Module {
  static readonly expansion = 1
  readonly conv1
  readonly bn1
  readonly conv2
  readonly bn2
  readonly downsample: Layer | null

  constructor(input: number, width: number, options: BlockOptions) {
    super()
    const { stride, bias, eps, zeroInitResidual } = options
    this.conv1 = conv2d(input, width, { kernel: 3, stride, padding: 1, bias })
    this.bn1 = batchNorm2d(width, { eps })
    this.conv2 = conv2d(width, width, { kernel: 3, padding: 1, bias })
    this.bn2 = batchNorm2d(width, { eps, weight: zeroInitResidual ? 0 : 1 })
    this.downsample = shortcut(input, width, options)
  }

  override forward(x: Value): Value {
    return join(x.pipe(this.conv1, this.bn1, relu, this.conv2, this.bn2), x, this.downsample)
  }
}

/** Figure 5, right: 1x1 reduces, 3x3, 1x1 restores. */
class Bottleneck extends Module {
  static readonly expansion = 4
  readonly conv1
  readonly bn1
  readonly conv2
  readonly bn2
  readonly conv3
  readonly bn3
  readonly downsample: Layer | null

  constructor(input: number, width: number, options: BlockOptions) {
    super()
    const { stride, version, bias, eps, zeroInitResidual } = options
    const output = width * Bottleneck.expansion
    const [stride1, stride2] = version === 'v1' ? [stride, 1] : [1, stride]
    this.conv1 = conv2d(input, width, { kernel: 1, stride: stride1, bias })
    this.bn1 = batchNorm2d(width, { eps })
    this.conv2 = conv2d(width, width, { kernel: 3, stride: stride2, padding: 1, bias })
    this.bn2 = batchNorm2d(width, { eps })
    this.conv3 = conv2d(width, output, { kernel: 1, bias })
    this.bn3 = batchNorm2d(output, { eps, weight: zeroInitResidual ? 0 : 1 })
    this.downsample = shortcut(input, output, options)
  }

  override forward(x: Value): Value {
    const y = x.pipe(this.conv1, this.bn1, relu, this.conv2, this.bn2, relu, this.conv3, this.bn3)
    return join(y, x, this.downsample)
  }
}

type Block = typeof BasicBlock | typeof Bottleneck
type Blocks = readonly [conv2: number, conv3: number, conv4: number, conv5: number]

/** conv2_x to conv5_x of Table 1: the first block of all but conv2_x halves the image. */
function layer(block: Block, input: number, width: number, blocks: number, options: BlockOptions) {
  return sequential(
    ...Array.from({ length: blocks }, (_, i) =>
      i === 0
        ? new block(input, width, options)
        : new block(width * block.expansion, width, { ...options, stride: 1 }),
    ),
  )
}

/** Table 1, top to bottom. */
class ResNet extends Network {
  readonly conv1
  readonly bn1
  readonly maxpool
  readonly layer1
  readonly layer2
  readonly layer3
  readonly layer4
  readonly fc

  constructor(block: Block, blocks: Blocks, options: ResNetOptions) {
    super()
    const { classes = 1000, version = 'v1.5', bias = false, eps = 1e-5 } = options
    const { residual = true, zeroInitResidual = false } = options
    const shared = { version, bias, eps, residual, zeroInitResidual }
    const { expansion } = block
    this.conv1 = conv2d(3, 64, { kernel: 7, stride: 2, padding: 3, bias })
    this.bn1 = batchNorm2d(64, { eps })
    this.maxpool = maxPool2d({ kernel: 3, stride: 2, padding: 1 })
    this.layer1 = layer(block, 64, 64, blocks[0], { ...shared, stride: 1 })
    this.layer2 = layer(block, 64 * expansion, 128, blocks[1], { ...shared, stride: 2 })
    this.layer3 = layer(block, 128 * expansion, 256, blocks[2], { ...shared, stride: 2 })
    this.layer4 = layer(block, 256 * expansion, 512, blocks[3], { ...shared, stride: 2 })
    this.fc = linear(512 * expansion, classes)
  }

  override forward(x: Value) {
    const stem = x.pipe(this.conv1, this.bn1, relu, this.maxpool)
    const features = stem.pipe(this.layer1, this.layer2, this.layer3, this.layer4)
    return { logits: features.pipe(globalAveragePool, flatten, this.fc) }
  }
}

function resnet(depth: 18 | 34 | 50 | 101 | 152, block: Block, blocks: Blocks) {
  return (options: ResNetOptions = {}): Model => {
    const { classes = 1000, residual = true } = options
    const name = `${residual ? 'resnet' : 'plain'}${depth}`
    const given = checkOptions(name, options, RULES)
    return new Model(new ResNet(block, blocks, options), {
      name,
      classes,
      options: given,
      input: { channels: 3, size: 224 },
      preprocessing: TORCHVISION,
    })
  }
}

/**
 * ResNet-18: He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", Table 1. 11,689,512
 * parameters; images of any size.
 */
export const resnet18 = resnet(18, BasicBlock, [2, 2, 2, 2])
/** ResNet-34 (He et al. 2015, Table 1). 21,797,672 parameters. */
export const resnet34 = resnet(34, BasicBlock, [3, 4, 6, 3])
/** ResNet-50 (He et al. 2015, Table 1). 25,557,032 parameters. */
export const resnet50 = resnet(50, Bottleneck, [3, 4, 6, 3])
/** ResNet-101 (He et al. 2015, Table 1). 44,549,160 parameters. */
export const resnet101 = resnet(101, Bottleneck, [3, 4, 23, 3])
/** ResNet-152 (He et al. 2015, Table 1). 60,192,808 parameters. */
export const resnet152 = resnet(152, Bottleneck, [3, 8, 36, 3])

export interface CifarResNetOptions {
  /** Default 10. */
  readonly classes?: number
  /**
   * Shortcut where the image is halved: every second pixel, zeros for the new channels (`'A'`, default, as in the
   * paper's section 4.2 and the published weights), or a projection (`'B'`).
   */
  readonly shortcut?: 'A' | 'B'
  /** Epsilon of batch norm. Default 1e-5. */
  readonly eps?: number
  /** `false` leaves the shortcuts out: the plain networks of figure 6, left. Default true. */
  readonly residual?: boolean
}

const CIFAR_RULES: Rules<CifarResNetOptions> = {
  classes: count,
  shortcut: oneOf('A', 'B'),
  eps: positive,
  residual: flag,
}

const convolution = { bias: false, initializer: initializers.he('fanIn') }

/** Two 3x3 convolutions, named as in the published weights. */
class CifarBlock extends Module {
  readonly conv1
  readonly bn1
  readonly conv2
  readonly bn2
  readonly shortcut: Layer | null

  constructor(input: number, width: number, options: Required<Omit<CifarResNetOptions, 'classes'>>) {
    super()
    const { shortcut: option, eps, residual } = options
    const stride = width / input
    this.conv1 = conv2d(input, width, { kernel: 3, stride, padding: 1, ...convolution })
    this.bn1 = batchNorm2d(width, { eps })
    this.conv2 = conv2d(width, width, { kernel: 3, padding: 1, ...convolution })
    this.bn2 = batchNorm2d(width, { eps })
    if (!residual) this.shortcut = null
    else if (stride === 1) this.shortcut = identity
    else if (option === 'A') this.shortcut = (x) => subsamplePad(x, stride, width)
    else
      this.shortcut = sequential(
        conv2d(input, width, { kernel: 1, stride, ...convolution }),
        batchNorm2d(width, { eps }),
      )
  }

  override forward(x: Value): Value {
    return join(x.pipe(this.conv1, this.bn1, relu, this.conv2, this.bn2), x, this.shortcut)
  }
}

/** The table of section 4.2: 2n layers with 16 maps of 32 x 32, 2n with 32 of 16 x 16, 2n with 64 of 8 x 8. */
class CifarResNet extends Network {
  readonly conv1
  readonly bn1
  readonly layer1
  readonly layer2
  readonly layer3
  readonly linear

  constructor(n: number, options: CifarResNetOptions) {
    super()
    const { classes = 10, shortcut = 'A', eps = 1e-5, residual = true } = options
    const layer = (input: number, width: number) =>
      sequential(
        ...Array.from(
          { length: n },
          (_, i) => new CifarBlock(i === 0 ? input : width, width, { shortcut, eps, residual }),
        ),
      )
    this.conv1 = conv2d(3, 16, { kernel: 3, padding: 1, ...convolution })
    this.bn1 = batchNorm2d(16, { eps })
    this.layer1 = layer(16, 16)
    this.layer2 = layer(16, 32)
    this.layer3 = layer(32, 64)
    this.linear = linear(64, classes, { initializer: initializers.he('fanIn') })
  }

  override forward(x: Value) {
    const features = x.pipe(this.conv1, this.bn1, relu, this.layer1, this.layer2, this.layer3)
    return { logits: features.pipe(globalAveragePool, flatten, this.linear) }
  }
}

/** A network of 6n + 2 layers that learn. */
function cifar(depth: 20 | 32 | 44 | 56 | 110) {
  return (options: CifarResNetOptions = {}): Model => {
    const { classes = 10, residual = true } = options
    const name = `${residual ? 'resnet' : 'plain'}${depth}`
    const given = checkOptions(name, options, CIFAR_RULES)
    return new Model(new CifarResNet((depth - 2) / 6, options), {
      name,
      classes,
      options: given,
      input: { channels: 3, size: 32 },
      preprocessing: CIFAR,
    })
  }
}

/** ResNet-20 for CIFAR-10 (He et al. 2015, section 4.2). 269,722 parameters, 272,474 with projections. */
export const resnet20 = cifar(20)
/** ResNet-32 for CIFAR-10 (He et al. 2015, section 4.2). 464,154 parameters. */
export const resnet32 = cifar(32)
/** ResNet-44 for CIFAR-10 (He et al. 2015, section 4.2). 658,586 parameters. */
export const resnet44 = cifar(44)
/** ResNet-56 for CIFAR-10 (He et al. 2015, section 4.2). 853,018 parameters. */
export const resnet56 = cifar(56)
/** ResNet-110 for CIFAR-10 (He et al. 2015, section 4.2). 1,727,962 parameters. */
export const resnet110 = cifar(110)
