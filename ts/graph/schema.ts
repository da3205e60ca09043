/**
 * Every operation and its attributes: the one declaration on this side of the native boundary. Its twin is
 * `native/ops.h`, which also says what each operation computes and the order of its operands.
 */
export const schema = {
  convolution: {
    stride: 'pair',
    padding: 'edges',
    dilation: 'pair',
    groups: 'int',
    activation: ['none', 'relu'],
  },
  convolutionBackwardData: { stride: 'pair', padding: 'edges', dilation: 'pair', groups: 'int' },
  convolutionBackwardWeights: { stride: 'pair', padding: 'edges', dilation: 'pair', groups: 'int' },
  pooling: {
    kind: ['max', 'average'],
    kernel: 'pair',
    stride: 'pair',
    padding: 'edges',
    countPadding: 'bool',
  },
  poolingBackward: {
    kind: ['max', 'average'],
    kernel: 'pair',
    stride: 'pair',
    padding: 'edges',
    countPadding: 'bool',
  },
  adaptiveAveragePooling: {},
  batchNorm: { eps: 'float', activation: ['none', 'relu'] },
  foldBatchNorm: { eps: 'float' },
  localResponseNorm: { size: 'int', alpha: 'float', beta: 'float', k: 'float' },
  linear: { activation: ['none', 'relu'] },
  linearBackwardData: {},
  linearBackwardWeights: {},
  elementwise: { kind: ['relu', 'sigmoid', 'tanh', 'linear'], alpha: 'float', beta: 'float' },
  elementwiseBackward: { kind: ['relu', 'sigmoid', 'tanh', 'linear'], alpha: 'float', beta: 'float' },
  add: { activation: ['none', 'relu'] },
  scaleChannels: {},
  scaleChannelsBackward: {},
  softmax: { log: 'bool' },
  concat: {},
  slice: { start: 'int' },
  subsamplePad: { stride: 'int', before: 'int' },
  pad: { padding: 'edges', value: 'float' },
  reshape: {},
  normalizeImage: { scale: 'floats', bias: 'floats', order: 'ints' },
  scatterRows: { indices: 'ints' },
  gatherRows: { indices: 'ints' },
  softmaxCrossEntropy: { labelSmoothing: 'float' },
  sgd: { momentum: 'float', weightDecay: 'float', nesterov: 'bool' },
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
  sgd: [
    [0, 0],
    [1, 2],
  ],
}
