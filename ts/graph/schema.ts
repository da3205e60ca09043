const POOLING = {
  kind: ['max', 'average'],
  kernel: 'pair',
  stride: 'pair',
  padding: 'edges',
  countPadding: 'bool',
} as const
const GEOMETRY = { stride: 'pair', padding: 'edges', dilation: 'pair', groups: 'int' } as const
const ACTIVATION = { activation: ['none', 'relu'] } as const
const LRN = { size: 'int', alpha: 'float', beta: 'float', k: 'float' } as const
const ELEMENTWISE = { kind: ['relu', 'sigmoid', 'tanh', 'linear'], alpha: 'float', beta: 'float' } as const
const SUBSAMPLE = { stride: 'int', before: 'int' } as const
const PAD = { padding: 'edges', value: 'float' } as const
const SCALE = { scale: 'float' } as const
const OPTIMIZER = { lrScale: 'float', weightDecay: 'float', maxNorm: 'float' } as const

/**
 * Every operation and its attributes: the one declaration on this side of the native boundary. Its twin is
 * `native/ops.h`, which also says what each operation computes and the order of its operands.
 */
export const schema = {
  convolution: { ...GEOMETRY, ...ACTIVATION },
  convolutionBackwardData: GEOMETRY,
  convolutionBackwardWeights: GEOMETRY,
  pooling: POOLING,
  poolingBackward: POOLING,
  adaptiveAveragePooling: {},
  adaptiveAveragePoolingBackward: {},
  batchNorm: { eps: 'float', ...ACTIVATION },
  batchNormTraining: { eps: 'float', momentum: 'float', ...ACTIVATION },
  batchNormBackward: { eps: 'float', ...ACTIVATION, runningStatistics: 'bool' },
  foldBatchNorm: { eps: 'float' },
  localResponseNorm: LRN,
  localResponseNormBackward: LRN,
  linear: ACTIVATION,
  linearBackwardData: {},
  linearBackwardWeights: {},
  elementwise: ELEMENTWISE,
  elementwiseBackward: ELEMENTWISE,
  add: ACTIVATION,
  scaleChannels: {},
  scaleChannelsBackward: {},
  softmax: { log: 'bool' },
  softmaxBackward: { log: 'bool' },
  dropout: { p: 'float', stream: 'int' },
  radialBasis: {},
  radialBasisBackward: {},
  concat: {},
  slice: { start: 'int' },
  sliceBackward: { start: 'int' },
  subsamplePad: SUBSAMPLE,
  subsamplePadBackward: SUBSAMPLE,
  pad: PAD,
  padBackward: PAD,
  reshape: {},
  normalizeImage: { scale: 'floats', bias: 'floats', order: 'ints' },
  scatterRows: { indices: 'ints' },
  gatherRows: { indices: 'ints' },
  quantize: SCALE,
  dequantize: SCALE,
  quantizeWeights: { inputScale: 'float', outputScale: 'float' },
  quantizedConvolution: { ...GEOMETRY, ...ACTIVATION, residualFactor: 'float' },
  softmaxCrossEntropy: { labelSmoothing: 'float', weight: 'float' },
  meanSquaredError: { weight: 'float' },
  radialBasisLoss: { j: 'float', weight: 'float' },
  sgd: { ...OPTIMIZER, momentum: 'float', nesterov: 'bool' },
  rmsProp: { ...OPTIMIZER, decay: 'float', eps: 'float', momentum: 'float', epsInsideRoot: 'bool' },
  adam: { ...OPTIMIZER, beta1: 'float', beta2: 'float', eps: 'float', decoupled: 'bool' },
  scaleGradient: {},
  unscaleGradients: { interval: 'int' },
  gradientNorm: {},
  accumulate: {},
  clear: {},
  movingAverage: { decay: 'float' },
} as const satisfies Record<string, Record<string, AttributeKind>>

/** What an attribute may be: a fixed or free list of numbers, a scalar, or one of the listed words. */
export type AttributeKind =
  'int' | 'float' | 'bool' | 'pair' | 'edges' | 'ints' | 'floats' | readonly string[]

/** `[height, width]` */
export type Pair = readonly [number, number]
/** `[top, left, bottom, right]` */
export type Edges = readonly [number, number, number, number]

type AttributeType<K> = K extends readonly (infer Word)[]
  ? Word
  : K extends 'int' | 'float'
    ? number
    : K extends 'bool'
      ? boolean
      : K extends 'pair'
        ? Pair
        : K extends 'edges'
          ? Edges
          : readonly number[]

export type OpName = keyof typeof schema
export type Attributes<Op extends OpName> = {
  readonly [K in keyof (typeof schema)[Op]]: AttributeType<(typeof schema)[Op][K]>
}

/** Outputs that are written over an input, as `[output, input]`. */
export const inPlace: { readonly [Op in OpName]?: readonly (readonly [number, number])[] } = {
  batchNormTraining: [
    [3, 3],
    [4, 4],
  ],
  sgd: [
    [0, 0],
    [1, 4],
  ],
  rmsProp: [
    [0, 0],
    [1, 4],
    [2, 5],
  ],
  adam: [
    [0, 0],
    [1, 4],
    [2, 5],
  ],
  unscaleGradients: [[2, 2]],
  accumulate: [[0, 0]],
  clear: [[0, 0]],
  movingAverage: [[0, 0]],
}
