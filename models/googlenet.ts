import { CAFFE, TORCHVISION } from '../ts/data/preprocessing.js'
import type { Layer, Value } from '../ts/graph/graph.js'
import type { ModelInfo } from '../ts/model/info.js'
import { Model } from '../ts/model/model.js'
import {
  adaptiveAveragePool,
  averagePool,
  concat,
  conv2d,
  dropout,
  flatten,
  globalAveragePool,
  initializers,
  linear,
  localResponseNorm,
  maxPool2d,
  Module,
  Network,
  relu,
  sequential,
  type Conv2dOptions,
  type LocalResponseNormOptions,
} from '../ts/nn/index.js'
import {
  NormalisedConvolution,
  transformInput,
  withTransformedInput,
  type InceptionInputOptions,
} from './inception-unit.js'
import { checkOptions, count, flag, norm, probability, type Rules } from './options.js'

/** Output channels of the convolutions of an Inception module, in the order of Table 1. */
type Row = readonly [c1: number, reduce3: number, c3: number, reduce5: number, c5: number, projection: number]

/** Table 1 of the paper. */
// prettier-ignore
const TABLE_1 = {
  //            #1x1  #3x3   #3x3  #5x5   #5x5  pool
  //                  reduce       reduce       proj
  inception3a: [ 64,    96,   128,   16,    32,   32],
  inception3b: [128,   128,   192,   32,    96,   64],
  inception4a: [192,    96,   208,   16,    48,   64],
  inception4b: [160,   112,   224,   24,    64,   64],
  inception4c: [128,   128,   256,   24,    64,   64],
  inception4d: [112,   144,   288,   32,    64,   64],
  inception4e: [256,   160,   320,   32,   128,  128],
  inception5a: [256,   160,   320,   32,   128,  128],
  inception5b: [384,   192,   384,   48,   128,  128],
} as const satisfies Record<string, Row>

/** Where the published network departs from the paper. */
interface Variant {
  /** A convolution with its activation. */
  readonly unit: (input: number, output: number, options: Conv2dOptions) => Layer
  /** Kernel of the branch that the paper calls 5x5. */
  readonly fiveByFive: 3 | 5
  /** What "LocalRespNorm" of figure 3 is. */
  readonly norm: Layer
  /** Window of the last max pooling. */
  readonly maxpool4: 2 | 3
  /** From 14 x 14 to the 4 x 4 that the auxiliary classifiers look at. */
  readonly auxiliaryPool: Layer
  readonly initializer: initializers.Initializer
}

/** A convolution with a bias, and ReLU: the paper is from before batch norm. */
class Convolution extends Module {
  readonly conv

  constructor(input: number, output: number, options: Conv2dOptions) {
    super()
    this.conv = conv2d(input, output, {
      ...options,
      initializer: initializers.xavier,
      biasInitializer: initializers.constant(0.2),
    })
  }

  override forward(x: Value): Value {
    return x.pipe(this.conv, relu)
  }
}

/** Figure 2 (b): four branches side by side, joined along channels. */
class Inception extends Module {
  readonly branch1
  readonly branch2
  readonly branch3
  readonly branch4

  constructor(input: number, [c1, reduce3, c3, reduce5, c5, projection]: Row, { unit, fiveByFive }: Variant) {
    super()
    this.branch1 = unit(input, c1, { kernel: 1 })
    this.branch2 = sequential(
      unit(input, reduce3, { kernel: 1 }),
      unit(reduce3, c3, { kernel: 3, padding: 1 }),
    )
    this.branch3 = sequential(
      unit(input, reduce5, { kernel: 1 }),
      unit(reduce5, c5, { kernel: fiveByFive, padding: (fiveByFive - 1) / 2 }),
    )
    this.branch4 = sequential(
      maxPool2d({ kernel: 3, stride: 1, padding: 1 }),
      unit(input, projection, { kernel: 1 }),
    )
  }

  override forward(x: Value): Value {
    const branches = [this.branch1, this.branch2, this.branch3, this.branch4]
    return concat(branches.map((branch) => x.pipe(branch)))
  }
}

/** Auxiliary classifier (section 5): average pooling to 4 x 4, 128 1x1 convolutions, 1024 units, 70 % dropout. */
class AuxiliaryHead extends Module {
  readonly conv
  readonly fc1
  readonly dropout
  readonly fc2
  private readonly pool: Layer

  constructor(input: number, classes: number, p: number, { unit, auxiliaryPool, initializer }: Variant) {
    super()
    this.pool = auxiliaryPool
    this.conv = unit(input, 128, { kernel: 1 })
    this.fc1 = linear(128 * 4 * 4, 1024, { initializer })
    this.dropout = dropout(p)
    this.fc2 = linear(1024, classes, { initializer })
  }

  override forward(x: Value): Value {
    return x.pipe(this.pool, this.conv, flatten, this.fc1, relu, this.dropout, this.fc2)
  }
}

/** Outputs in training. */
type Outputs<Auxiliary extends boolean> = Auxiliary extends true ? 'logits' | 'aux1' | 'aux2' : 'logits'

/** Table 1 of the paper, top to bottom. */
class GoogLeNet extends Network<'logits', 'logits' | 'aux1' | 'aux2'> {
  readonly conv1
  readonly maxpool1
  readonly conv2
  readonly conv3
  readonly maxpool2
  readonly inception3a
  readonly inception3b
  readonly maxpool3
  readonly inception4a
  readonly inception4b
  readonly inception4c
  readonly inception4d
  readonly inception4e
  readonly maxpool4
  readonly inception5a
  readonly inception5b
  readonly aux1
  readonly aux2
  readonly dropout
  readonly fc
  private readonly norm: Layer
  private readonly transformsInput: boolean

  constructor(variant: Variant, options: GoogLeNetOptions<boolean>) {
    super()
    const { classes = 1000, auxiliary = true, dropout: p = 0.2, auxiliaryDropout = 0.7 } = options
    const { unit, initializer } = variant
    const pool = (kernel: number) => maxPool2d({ kernel, stride: 2, ceilMode: true })
    const inception = (input: number, row: Row) => new Inception(input, row, variant)
    const head = (input: number) =>
      auxiliary ? new AuxiliaryHead(input, classes, auxiliaryDropout, variant) : null
    this.norm = variant.norm
    this.transformsInput = options.transformInput ?? false

    this.conv1 = unit(3, 64, { kernel: 7, stride: 2, padding: 3 })
    this.maxpool1 = pool(3)
    this.conv2 = unit(64, 64, { kernel: 1 })
    this.conv3 = unit(64, 192, { kernel: 3, padding: 1 })
    this.maxpool2 = pool(3)
    this.inception3a = inception(192, TABLE_1.inception3a)
    this.inception3b = inception(256, TABLE_1.inception3b)
    this.maxpool3 = pool(3)
    this.inception4a = inception(480, TABLE_1.inception4a)
    this.inception4b = inception(512, TABLE_1.inception4b)
    this.inception4c = inception(512, TABLE_1.inception4c)
    this.inception4d = inception(512, TABLE_1.inception4d)
    this.inception4e = inception(528, TABLE_1.inception4e)
    this.maxpool4 = pool(variant.maxpool4)
    this.inception5a = inception(832, TABLE_1.inception5a)
    this.inception5b = inception(832, TABLE_1.inception5b)
    this.aux1 = head(512)
    this.aux2 = head(528)
    this.dropout = dropout(p)
    this.fc = linear(1024, classes, { initializer })
  }

  override forward(x: Value) {
    const image = this.transformsInput ? transformInput(x) : x
    const stem = image.pipe(
      this.conv1,
      this.maxpool1,
      this.norm,
      this.conv2,
      this.conv3,
      this.norm,
      this.maxpool2,
    )
    const out4a = stem.pipe(this.inception3a, this.inception3b, this.maxpool3, this.inception4a)
    const out4d = out4a.pipe(this.inception4b, this.inception4c, this.inception4d)
    const out5b = out4d.pipe(this.inception4e, this.maxpool4, this.inception5a, this.inception5b)
    const logits = out5b.pipe(globalAveragePool, flatten, this.dropout, this.fc)
    if (x.graph.mode === 'evaluation' || !this.aux1 || !this.aux2) return { logits }
    return { logits, aux1: out4a.pipe(this.aux1), aux2: out4d.pipe(this.aux2) }
  }
}

interface GoogLeNetBaseOptions<Auxiliary extends boolean> {
  /** Default 1000. */
  readonly classes?: number
  /** Whether it has the two auxiliary classifiers, which compute in training only. Default true. */
  readonly auxiliary?: Auxiliary
  /** Probability of dropout before the last layer. Default: the published network's 0.2, the paper's 0.4. */
  readonly dropout?: number
  /** Probability of dropout in the auxiliary classifiers. Default 0.7. */
  readonly auxiliaryDropout?: number
}

export interface GoogLeNetOptions<Auxiliary extends boolean = true>
  extends GoogLeNetBaseOptions<Auxiliary>, InceptionInputOptions {}

export interface OriginalGoogLeNetOptions<
  Auxiliary extends boolean = true,
> extends GoogLeNetBaseOptions<Auxiliary> {
  /** Default: that of Caffe's published network, n = 5, alpha = 1e-4 / n, beta = 0.75, k = 1; the paper gives none. */
  readonly localResponseNorm?: LocalResponseNormOptions
}

const BASE_RULES: Rules<GoogLeNetBaseOptions<boolean>> = {
  classes: count,
  auxiliary: flag,
  dropout: probability,
  auxiliaryDropout: probability,
}
const RULES: Rules<GoogLeNetOptions<boolean>> = { ...BASE_RULES, transformInput: flag }
const ORIGINAL_RULES: Rules<OriginalGoogLeNetOptions<boolean>> = { ...BASE_RULES, localResponseNorm: norm }

/**
 * GoogLeNet as torchvision has it: Szegedy et al. 2014, "Going Deeper with Convolutions", Table 1, with batch norm
 * and, in the branch that the paper calls 5x5, a 3x3 convolution. 13,004,888 parameters with its auxiliary
 * classifiers, 6,624,904 without.
 */
export function googlenet<const Auxiliary extends boolean = true>(
  options: GoogLeNetOptions<Auxiliary> = {},
): Model<'logits', Outputs<Auxiliary>> {
  const initializer = initializers.truncatedNormal(0.01)
  const published: Variant = {
    unit: (input, output, geometry) => new NormalisedConvolution(input, output, { ...geometry, initializer }),
    fiveByFive: 3,
    norm: (x) => x,
    maxpool4: 2,
    auxiliaryPool: (x) => adaptiveAveragePool(x, 4),
    initializer,
  }
  const { dropout: p = 0.2, transformInput: transforms = false } = options
  return build(
    published,
    { ...options, dropout: p },
    {
      name: 'googlenet',
      options: checkOptions('googlenet', options, RULES),
      preprocessing: transforms ? TORCHVISION : withTransformedInput(TORCHVISION),
    },
  )
}

/**
 * GoogLeNet of Szegedy et al. 2014, "Going Deeper with Convolutions", section 5, Table 1 and figure 3: local
 * response normalisation, biases, 5x5 convolutions, auxiliary classifiers behind 4a and 4d. 6,998,552 parameters,
 * 13,378,280 with the auxiliary classifiers, which in training want images of about 224 x 224.
 */
export function googlenetOriginal<const Auxiliary extends boolean = true>(
  options: OriginalGoogLeNetOptions<Auxiliary> = {},
): Model<'logits', Outputs<Auxiliary>> {
  const { dropout: p = 0.4, localResponseNorm: response = { k: 1, divideAlpha: true } } = options
  const paper: Variant = {
    unit: (input, output, geometry) => new Convolution(input, output, geometry),
    fiveByFive: 5,
    norm: (x) => localResponseNorm(x, response),
    maxpool4: 3,
    auxiliaryPool: (x) => averagePool(x, { kernel: 5, stride: 3 }),
    initializer: initializers.xavier,
  }
  return build(
    paper,
    { ...options, dropout: p },
    {
      name: 'googlenet_original',
      options: checkOptions('googlenet_original', options, ORIGINAL_RULES),
      preprocessing: CAFFE,
    },
  )
}

function build<Auxiliary extends boolean>(
  variant: Variant,
  options: GoogLeNetOptions<Auxiliary>,
  info: Pick<ModelInfo, 'name' | 'options' | 'preprocessing'>,
): Model<'logits', Outputs<Auxiliary>> {
  const network: Network<'logits', string> = new GoogLeNet(variant, options)
  return new Model(network as Network<'logits', Outputs<Auxiliary>>, {
    ...info,
    classes: options.classes ?? 1000,
    input: { channels: 3, size: 224 },
    auxiliaryHeads: ['aux1', 'aux2'],
  })
}
