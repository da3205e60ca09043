export { connect, convolution, type ConvolutionOptions } from './convolution.js'
export {
  add,
  affine,
  dropout,
  logSoftmax,
  radialBasis,
  relu,
  scaleChannels,
  scaledTanh,
  sigmoid,
  softmax,
  tanh,
} from './elementwise.js'
export type { Padding2d, Size2d } from './geometry.js'
export { flatten, linear, reshape } from './linear.js'
export { concat, normalizeImage, pad, sliceChannels, subsamplePad, type ImageNormalization } from './moves.js'
export { batchNorm, localResponseNorm, type LocalResponseNormOptions } from './normalization.js'
export {
  adaptiveAveragePool,
  averagePool,
  globalAveragePool,
  maxPool,
  type AveragePoolingOptions,
  type PoolingOptions,
} from './pooling.js'
