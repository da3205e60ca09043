import { conv2d, depthwiseConv2d, separableConv2d } from './convolution.js'
import { batchNormalization, dense } from './dense.js'
import {
  activation,
  add,
  concatenate,
  dropout,
  relu,
  rescaling,
  softmax,
  trainingNoise,
} from './elementwise.js'
import type { Builder } from './layer.js'
import { averagePooling2d, globalAveragePooling2d, globalMaxPooling2d, maxPooling2d } from './pooling.js'
import { flatten, reshape, zeroPadding2d } from './shapes.js'

export type { BuiltLayer, LayerSource } from './layer.js'

/** The classes of Keras' layers that are known, besides models within models. */
export const LAYERS: ReadonlyMap<string, Builder> = new Map([
  ['Conv2D', conv2d],
  ['DepthwiseConv2D', depthwiseConv2d],
  ['SeparableConv2D', separableConv2d],
  ['Dense', dense],
  ['BatchNormalization', batchNormalization],
  ['Activation', activation],
  ['ReLU', relu],
  ['Softmax', softmax],
  ['Rescaling', rescaling],
  ['MaxPooling2D', maxPooling2d],
  ['AveragePooling2D', averagePooling2d],
  ['GlobalAveragePooling2D', globalAveragePooling2d],
  ['GlobalMaxPooling2D', globalMaxPooling2d],
  ['ZeroPadding2D', zeroPadding2d],
  ['Flatten', flatten],
  ['Reshape', reshape],
  ['Add', add],
  ['Concatenate', concatenate],
  ['Dropout', dropout],
  ['SpatialDropout2D', trainingNoise],
  ['GaussianNoise', trainingNoise],
  ['GaussianDropout', trainingNoise],
])
