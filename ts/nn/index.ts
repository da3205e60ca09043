export * from '../graph/ops/index.js'
export type { Layer, Value } from '../graph/graph.js'
export * as initializers from './initializers.js'
export {
  averagePool2d,
  batchNorm2d,
  BatchNorm2d,
  conv2d,
  Conv2d,
  dropout,
  Dropout,
  linear,
  Linear,
  maxPool2d,
  Pool2d,
  type BatchNorm2dOptions,
  type Conv2dOptions,
  type LinearOptions,
} from './layers.js'
export { Module, Network, Parameter, type ParameterRole } from './module.js'
export { named, sequential, Sequential } from './sequential.js'
