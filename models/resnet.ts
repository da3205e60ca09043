import type { Layer, Value } from '../ts/graph/graph.js'
import {
  add,
  batchNorm2d,
  conv2d,
  flatten,
  globalAveragePool,
  linear,
  maxPool2d,
  Module,
  Network,
  relu,
  sequential,
} from '../ts/nn/index.js'
import { TORCHVISION } from '../ts/data/preprocessing.js'
import { Model } from '../ts/model/model.js'

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
}

interface BlockOptions extends Required<Pick<ResNetOptions, 'version' | 'bias' | 'eps' | 'residual'>> {
  readonly stride: number
}

/** Projection shortcut: the paper's option B. */
function projection(input: number, output: number, { stride, bias, eps }: BlockOptions): Layer {
  return sequential(conv2d(input, output, { kernel: 1, stride, bias }), batchNorm2d(output, { eps }))
}

/** Figure 5, left: two 3x3 convolutions. */
class BasicBlock extends Module {
  static readonly expansion = 1
  readonly conv1
  readonly bn1
  readonly conv2
  readonly bn2
  readonly downsample: Layer | null
  private readonly residual: boolean

  constructor(input: number, width: number, options: BlockOptions) {
    super()
    const { stride, bias, eps, residual } = options
    this.conv1 = conv2d(input, width, { kernel: 3, stride, padding: 1, bias })
    this.bn1 = batchNorm2d(width, { eps })
    this.conv2 = conv2d(width, width, { kernel: 3, padding: 1, bias })
    this.bn2 = batchNorm2d(width, { eps })
    this.downsample = residual && (stride !== 1 || input !== width) ? projection(input, width, options) : null
    this.residual = residual
  }

  override forward(x: Value): Value {
    const y = x.pipe(this.conv1, this.bn1, relu, this.conv2, this.bn2)
    if (!this.residual) return relu(y)
    return relu(add(y, this.downsample ? x.pipe(this.downsample) : x))
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
  private readonly residual: boolean

  constructor(input: number, width: number, options: BlockOptions) {
    super()
    const { stride, version, bias, eps, residual } = options
    const output = width * Bottleneck.expansion
    this.conv1 = conv2d(input, width, { kernel: 1, stride: version === 'v1' ? stride : 1, bias })
    this.bn1 = batchNorm2d(width, { eps })
    this.conv2 = conv2d(width, width, { kernel: 3, stride: version === 'v1' ? 1 : stride, padding: 1, bias })
    this.bn2 = batchNorm2d(width, { eps })
    this.conv3 = conv2d(width, output, { kernel: 1, bias })
    this.bn3 = batchNorm2d(output, { eps })
    this.downsample =
      residual && (stride !== 1 || input !== output) ? projection(input, output, options) : null
    this.residual = residual
  }

  override forward(x: Value): Value {
    const y = x.pipe(this.conv1, this.bn1, relu, this.conv2, this.bn2, relu, this.conv3, this.bn3)
    if (!this.residual) return relu(y)
    return relu(add(y, this.downsample ? x.pipe(this.downsample) : x))
  }
}

type Block = typeof BasicBlock | typeof Bottleneck

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

class ResNet extends Network {
  readonly conv1
  readonly bn1
  readonly layer1
  readonly layer2
  readonly layer3
  readonly layer4
  readonly fc

  constructor(block: Block, blocks: readonly [number, number, number, number], options: ResNetOptions) {
    super()
    const { classes = 1000, version = 'v1.5', bias = false, eps = 1e-5, residual = true } = options
    const shared = { version, bias, eps, residual }
    const { expansion } = block
    this.conv1 = conv2d(3, 64, { kernel: 7, stride: 2, padding: 3, bias })
    this.bn1 = batchNorm2d(64, { eps })
    this.layer1 = layer(block, 64, 64, blocks[0], { ...shared, stride: 1 })
    this.layer2 = layer(block, 64 * expansion, 128, blocks[1], { ...shared, stride: 2 })
    this.layer3 = layer(block, 128 * expansion, 256, blocks[2], { ...shared, stride: 2 })
    this.layer4 = layer(block, 256 * expansion, 512, blocks[3], { ...shared, stride: 2 })
    this.fc = linear(512 * expansion, classes)
  }

  override forward(x: Value) {
    const stem = x.pipe(this.conv1, this.bn1, relu, maxPool2d({ kernel: 3, stride: 2, padding: 1 }))
    const features = stem.pipe(this.layer1, this.layer2, this.layer3, this.layer4)
    return { logits: features.pipe(globalAveragePool, flatten, this.fc) }
  }
}

function resnet(name: string, block: Block, blocks: readonly [number, number, number, number]) {
  return (options: ResNetOptions = {}): Model =>
    new Model(new ResNet(block, blocks, options), {
      name,
      classes: options.classes ?? 1000,
      input: { channels: 3, size: 224 },
      preprocessing: TORCHVISION,
    })
}

/** ResNet-18: He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", Table 1. 11,689,512 parameters. */
export const resnet18 = resnet('resnet18', BasicBlock, [2, 2, 2, 2])
/** ResNet-34 (He et al. 2015, Table 1). 21,797,672 parameters. */
export const resnet34 = resnet('resnet34', BasicBlock, [3, 4, 6, 3])
/** ResNet-50 (He et al. 2015, Table 1). 25,557,032 parameters. */
export const resnet50 = resnet('resnet50', Bottleneck, [3, 4, 6, 3])
/** ResNet-101 (He et al. 2015, Table 1). 44,549,160 parameters. */
export const resnet101 = resnet('resnet101', Bottleneck, [3, 4, 23, 3])
/** ResNet-152 (He et al. 2015, Table 1). 60,192,808 parameters. */
export const resnet152 = resnet('resnet152', Bottleneck, [3, 8, 36, 3])
