import { TORCHVISION_INCEPTION } from '../ts/data/preprocessing.js'
import type { Layer, Value } from '../ts/graph/graph.js'
import type { Pair } from '../ts/graph/schema.js'
import { Model } from '../ts/model/model.js'
import {
  averagePool2d,
  concat,
  dropout,
  flatten,
  globalAveragePool,
  initializers,
  linear,
  maxPool2d,
  Module,
  Network,
} from '../ts/nn/index.js'
import {
  NormalisedConvolution,
  transformInput,
  withTransformedInput,
  type InceptionInputOptions,
} from './inception-unit.js'
import { checkOptions, count, flag, probability, type Rules } from './options.js'

/** A convolution that waits for its input: `channels` filters of `kernel`. */
interface Convolution {
  readonly channels: number
  readonly kernel: Pair
  readonly stride: number
}

/** Keeps the image's size; with stride 2 it halves it, without padding. */
function conv(channels: number, kernel: number | Pair, stride = 1): Convolution {
  return { channels, kernel: typeof kernel === 'number' ? [kernel, kernel] : kernel, stride }
}

/** What follows one after the other in a branch. A list of convolutions forks: all read the same, all are joined. */
type Stage = Convolution | readonly Convolution[] | 'averagePool' | 'maxPool'

/** Branches side by side, by the names that their convolutions have in checkpoints. */
type Branches = Readonly<Record<string, readonly Stage[]>>

/** Figure 5, for the 35 x 35 grid: a branch with one 5x5, a branch with the two 3x3 that replace it. */
const figure5 = (projection: number): Branches => ({
  branch1x1: [conv(64, 1)],
  branch5x5: [conv(48, 1), conv(64, 5)],
  branch3x3dbl: [conv(64, 1), conv(96, 3), conv(96, 3)],
  branch_pool: ['averagePool', conv(projection, 1)],
})

/** Figure 10, from 35 x 35 to 17 x 17: pooling and strided convolutions side by side. */
const figure10: Branches = {
  branch3x3: [conv(384, 3, 2)],
  branch3x3dbl: [conv(64, 1), conv(96, 3), conv(96, 3, 2)],
  branch_pool: ['maxPool'],
}

/** Figure 6, for the 17 x 17 grid: n x n as 1 x n and n x 1, with n = 7. */
const figure6 = (c: number): Branches => ({
  branch1x1: [conv(192, 1)],
  branch7x7: [conv(c, 1), conv(c, [1, 7]), conv(192, [7, 1])],
  branch7x7dbl: [conv(c, 1), conv(c, [7, 1]), conv(c, [1, 7]), conv(c, [7, 1]), conv(192, [1, 7])],
  branch_pool: ['averagePool', conv(192, 1)],
})

/** Figure 10 again, from 17 x 17 to 8 x 8. */
const figure10Deep: Branches = {
  branch3x3: [conv(192, 1), conv(320, 3, 2)],
  branch7x7x3: [conv(192, 1), conv(192, [1, 7]), conv(192, [7, 1]), conv(192, 3, 2)],
  branch_pool: ['maxPool'],
}

/** Figure 7, for the 8 x 8 grid: filter banks spread out to 1 x 3 and 3 x 1 side by side. */
const figure7: Branches = {
  branch1x1: [conv(320, 1)],
  branch3x3: [conv(384, 1), [conv(384, [1, 3]), conv(384, [3, 1])]],
  branch3x3dbl: [conv(448, 1), conv(384, 3), [conv(384, [1, 3]), conv(384, [3, 1])]],
  branch_pool: ['averagePool', conv(192, 1)],
}

/** As in torchvision; the heads of the auxiliary classifier start smaller. */
const initializer = initializers.truncatedNormal(0.1)

function build(input: number, { channels, kernel, stride }: Convolution): NormalisedConvolution {
  const padding: Pair = stride === 1 ? [(kernel[0] - 1) / 2, (kernel[1] - 1) / 2] : [0, 0]
  return new NormalisedConvolution(input, channels, { kernel, stride, padding, initializer })
}

/** An Inception module: the branches of a figure, joined along channels. */
class Inception extends Module {
  private readonly layers = new Map<string, Module>()
  private readonly branches: readonly (readonly (readonly Layer[])[])[]

  constructor(input: number, figure: Branches) {
    super()
    this.branches = Object.entries(figure).map(([name, stages]) => this.branch(name, stages, input))
  }

  override children(): Iterable<readonly [string, Module]> {
    return this.layers
  }

  override forward(x: Value): Value {
    const ends = this.branches.flatMap((stages) =>
      stages.reduce<readonly Value[]>(([y], forks) => forks.map((layer) => y!.pipe(layer)), [x]),
    )
    return concat(ends)
  }

  /** Layers of a branch: convolutions `NAME_1`, `NAME_2a`, `NAME_2b`, ..., or `NAME` when there is but one. */
  private branch(name: string, stages: readonly Stage[], input: number): readonly (readonly Layer[])[] {
    const numbered = stages.filter((stage) => typeof stage !== 'string').length > 1
    let channels = input
    let position = 0
    return stages.map((stage) => {
      if (stage === 'averagePool')
        return [this.layer(`${name}.pool`, averagePool2d({ kernel: 3, stride: 1, padding: 1 }))]
      if (stage === 'maxPool') return [this.layer(`${name}.pool`, maxPool2d({ kernel: 3, stride: 2 }))]
      const forks = 'kernel' in stage ? [stage] : stage
      const prefix = numbered ? `${name}_${++position}` : name
      const layers = forks.map((convolution, i) =>
        this.layer(forks.length > 1 ? prefix + 'ab'[i]! : prefix, build(channels, convolution)),
      )
      channels = forks.reduce((sum, convolution) => sum + convolution.channels, 0)
      return layers
    })
  }

  private layer(name: string, layer: Module): Module {
    this.layers.set(name, layer)
    return layer
  }
}

/** Figure 8: the auxiliary classifier on top of the last 17 x 17 layer. */
class AuxiliaryHead extends Module {
  readonly pool = averagePool2d({ kernel: 5, stride: 3 })
  readonly conv0
  readonly conv1
  readonly fc

  constructor(input: number, classes: number) {
    super()
    this.conv0 = build(input, conv(128, 1))
    this.conv1 = new NormalisedConvolution(128, 768, {
      kernel: 5,
      initializer: initializers.truncatedNormal(0.01),
    })
    this.fc = linear(768, classes, { initializer: initializers.truncatedNormal(0.001) })
  }

  override forward(x: Value): Value {
    return x.pipe(this.pool, this.conv0, this.conv1, globalAveragePool, flatten, this.fc)
  }
}

/** Outputs in training. */
type Outputs<Auxiliary extends boolean> = Auxiliary extends true ? 'logits' | 'aux' : 'logits'

/** Table 1 of the paper, top to bottom, with the widths and the 1x1 of the published network. */
class InceptionV3 extends Network<'logits', 'logits' | 'aux'> {
  readonly Conv2d_1a_3x3 = build(3, conv(32, 3, 2))
  readonly Conv2d_2a_3x3 = new NormalisedConvolution(32, 32, { kernel: 3, initializer })
  readonly Conv2d_2b_3x3 = build(32, conv(64, 3))
  readonly maxpool1 = maxPool2d({ kernel: 3, stride: 2 })
  readonly Conv2d_3b_1x1 = build(64, conv(80, 1))
  readonly Conv2d_4a_3x3 = new NormalisedConvolution(80, 192, { kernel: 3, initializer })
  readonly maxpool2 = maxPool2d({ kernel: 3, stride: 2 })
  readonly Mixed_5b = new Inception(192, figure5(32))
  readonly Mixed_5c = new Inception(256, figure5(64))
  readonly Mixed_5d = new Inception(288, figure5(64))
  readonly Mixed_6a = new Inception(288, figure10)
  readonly Mixed_6b = new Inception(768, figure6(128))
  readonly Mixed_6c = new Inception(768, figure6(160))
  readonly Mixed_6d = new Inception(768, figure6(160))
  readonly Mixed_6e = new Inception(768, figure6(192))
  readonly AuxLogits
  readonly Mixed_7a = new Inception(768, figure10Deep)
  readonly Mixed_7b = new Inception(1280, figure7)
  readonly Mixed_7c = new Inception(2048, figure7)
  readonly dropout
  readonly fc
  private readonly transformsInput: boolean

  constructor(options: InceptionV3Options<boolean>) {
    super()
    const { classes = 1000, auxiliary = true, dropout: p = 0.5, transformInput: transforms = false } = options
    this.AuxLogits = auxiliary ? new AuxiliaryHead(768, classes) : null
    this.dropout = dropout(p)
    this.fc = linear(2048, classes, { initializer })
    this.transformsInput = transforms
  }

  override forward(x: Value) {
    const image = this.transformsInput ? transformInput(x) : x
    const low = image.pipe(this.Conv2d_1a_3x3, this.Conv2d_2a_3x3, this.Conv2d_2b_3x3, this.maxpool1)
    const stem = low.pipe(this.Conv2d_3b_1x1, this.Conv2d_4a_3x3, this.maxpool2)
    const grid35 = stem.pipe(this.Mixed_5b, this.Mixed_5c, this.Mixed_5d)
    const grid17 = grid35.pipe(this.Mixed_6a, this.Mixed_6b, this.Mixed_6c, this.Mixed_6d, this.Mixed_6e)
    const grid8 = grid17.pipe(this.Mixed_7a, this.Mixed_7b, this.Mixed_7c)
    const logits = grid8.pipe(globalAveragePool, flatten, this.dropout, this.fc)
    if (x.graph.mode === 'evaluation' || !this.AuxLogits) return { logits }
    return { logits, aux: grid17.pipe(this.AuxLogits) }
  }
}

export interface InceptionV3Options<Auxiliary extends boolean = true> extends InceptionInputOptions {
  /** Default 1000. */
  readonly classes?: number
  /** Whether it has the auxiliary classifier, which computes in training only. Default true. */
  readonly auxiliary?: Auxiliary
  /** Probability of dropout before the last layer. Default 0.5. */
  readonly dropout?: number
}

const RULES: Rules<InceptionV3Options<boolean>> = {
  classes: count,
  auxiliary: flag,
  dropout: probability,
  transformInput: flag,
}

/**
 * Inception v3: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2015, "Rethinking the Inception Architecture for
 * Computer Vision", section 6, as published by its authors and in torchvision. 27,161,264 parameters with its
 * auxiliary classifier, 23,834,568 without; images of at least 75 x 75.
 */
export function inceptionV3<const Auxiliary extends boolean = true>(
  options: InceptionV3Options<Auxiliary> = {},
): Model<'logits', Outputs<Auxiliary>> {
  const { classes = 1000, transformInput: transforms = false } = options
  const name = 'inception_v3'
  const given = checkOptions(name, options, RULES)
  const network: Network<'logits', string> = new InceptionV3(options)
  return new Model(network as Network<'logits', Outputs<Auxiliary>>, {
    name,
    classes,
    options: given,
    input: { channels: 3, size: 299 },
    preprocessing: transforms ? TORCHVISION_INCEPTION : withTransformedInput(TORCHVISION_INCEPTION),
    auxiliaryHeads: ['AuxLogits'],
  })
}
