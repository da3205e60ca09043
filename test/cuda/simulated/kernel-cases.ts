import type { Case, Operand } from './one-operation.js'

// What the kernels of ours compute, a case or more an operation.

const image: Operand = [[2, 6, 5, 7]]
const wide: Operand = [[2, 8, 5, 7]]
const perChannel: Operand = [[6], 'f32']
const parameter: Operand = [[4, 3, 3, 3], 'f32']
const gradient: Operand = [[4, 3, 3, 3]]
/** Learning rate, factor of gradients, Adam's corrections. */
const scalars: Operand = [[4], 'f32']
const norm: Operand = [[1], 'f32']
const step = { 2: [0.5, 0.25, 2, 4], 3: [8] }
const optimizer = { lrScale: 1, weightDecay: 0.125, maxNorm: 4 }
const loss: Operand = [[1], 'f32']
/** The scale of a loss, and how many updates were finite since it changed. */
const scaling: Operand = [[2], 'f32']
const unscale = (norms: number, scale: number, finite: number): Case => ({
  op: 'unscaleGradients',
  attributes: { interval: 3 },
  inputs: [scalars, norm, scaling],
  outputs: [[[4], 'f32'], [[1], 'f32'], { updates: 2 }],
  data: { 0: [0.5, 0.25, 2, 4], 1: [norms], 2: [scale, finite] },
})

export const KERNEL_CASES: readonly Case[] = [
  {
    op: 'scaleGradient',
    inputs: [[[5, 37]], scaling],
    outputs: [[[5, 37]]],
    data: { 1: [32, 0] },
  },
  unscale(8, 32, 0),
  unscale(8, 32, 2),
  // No float is twice as large.
  unscale(8, 2 ** 127, 2),
  {
    op: 'softmaxCrossEntropy',
    attributes: { labelSmoothing: 0.25, weight: 2 },
    inputs: [[[5, 37]], [[5], 'i32']],
    outputs: [loss, [[5, 37]]],
    data: { 1: [0, 36, 17, 5, 20] },
  },
  {
    op: 'softmaxCrossEntropy',
    attributes: { labelSmoothing: 0.25, weight: 1 },
    inputs: [[[5, 37]], [[5, 37], 'f32']],
    outputs: [loss, [[5, 37]]],
    data: { 1: Array.from({ length: 185 }, (_, i) => ((i % 37) + 1) / 703) },
  },
  {
    op: 'radialBasisLoss',
    attributes: { j: 0.5, weight: 1 },
    inputs: [[[5, 10]], [[5], 'i32']],
    outputs: [loss, [[5, 10]]],
    data: { 1: [0, 9, 7, 5, 2] },
  },
  {
    op: 'meanSquaredError',
    attributes: { weight: 3 },
    inputs: [image, [[2, 6, 5, 7], 'f32']],
    outputs: [loss, image],
  },
  {
    op: 'sgd',
    attributes: { ...optimizer, momentum: 0.5, nesterov: true },
    inputs: [parameter, gradient, scalars, norm, parameter],
    outputs: [{ updates: 0 }, { updates: 4 }],
    data: step,
  },
  {
    op: 'adam',
    attributes: { ...optimizer, beta1: 0.5, beta2: 0.75, eps: 1e-3, decoupled: true },
    inputs: [parameter, gradient, scalars, norm, parameter, [parameter[0], 'f32']],
    outputs: [{ updates: 0 }, { updates: 4 }, { updates: 5 }],
    data: { ...step, 5: Array.from({ length: 108 }, (_, i) => (i + 1) / 128) },
  },
  {
    op: 'rmsProp',
    attributes: { ...optimizer, decay: 0.5, eps: 0.5, momentum: 0.5, epsInsideRoot: true },
    inputs: [parameter, gradient, scalars, norm, parameter, [parameter[0], 'f32']],
    outputs: [{ updates: 0 }, { updates: 4 }, { updates: 5 }],
    data: { ...step, 4: Array.from({ length: 108 }, (_, i) => (i + 1) / 128) },
  },
  { op: 'gradientNorm', inputs: [gradient, [[37]], null, [[40000]]], outputs: [norm] },
  { op: 'accumulate', inputs: [parameter, gradient], outputs: [{ updates: 0 }] },
  { op: 'clear', inputs: [parameter], outputs: [{ updates: 0 }] },
  {
    op: 'movingAverage',
    attributes: { decay: 0.75 },
    inputs: [parameter, [parameter[0], 'f32']],
    outputs: [{ updates: 0 }],
  },
  {
    op: 'radialBasis',
    inputs: [
      [[5, 84], 'f32'],
      [[10, 84], 'f32'],
    ],
    outputs: [[[5, 10], 'f32']],
  },
  {
    op: 'radialBasisBackward',
    inputs: [
      [[5, 84], 'f32'],
      [[10, 84], 'f32'],
      [[5, 10], 'f32'],
    ],
    outputs: [
      [[5, 84], 'f32'],
      [[10, 84], 'f32'],
    ],
  },
  {
    op: 'dropout',
    attributes: { p: 0.25, stream: 3 },
    inputs: [image, [[4], 'i32']],
    outputs: [image],
    data: { 1: [1, 2, 3, 4] },
  },
  {
    op: 'dropout',
    attributes: { p: 0.25, stream: 3 },
    inputs: [[[3, 37]], [[4], 'i32']],
    outputs: [[[3, 37]]],
    data: { 1: [1, 2, 3, 4] },
  },
  { op: 'scaleChannels', inputs: [image, perChannel, perChannel], outputs: [image] },
  { op: 'scaleChannels', inputs: [wide, [[8], 'f32'], null], outputs: [wide] },
  {
    op: 'scaleChannelsBackward',
    inputs: [image, perChannel, image],
    outputs: [image, perChannel, perChannel],
  },
  { op: 'concat', inputs: [image, [[2, 1, 5, 7]], wide], outputs: [[[2, 15, 5, 7]]] },
  { op: 'slice', attributes: { start: 1 }, inputs: [image], outputs: [[[2, 4, 5, 7]]] },
  { op: 'sliceBackward', attributes: { start: 1 }, inputs: [[[2, 4, 5, 7]]], outputs: [image] },
  {
    op: 'subsamplePad',
    attributes: { stride: 2, before: 3 },
    inputs: [image],
    outputs: [[[2, 12, 3, 4]]],
  },
  {
    op: 'subsamplePadBackward',
    attributes: { stride: 2, before: 3 },
    inputs: [[[2, 12, 3, 4]]],
    outputs: [image],
  },
  {
    op: 'pad',
    attributes: { padding: [1, 2, 0, 3], value: -0.75 },
    inputs: [image],
    outputs: [[[2, 6, 6, 12]]],
  },
  {
    op: 'padBackward',
    attributes: { padding: [1, 2, 0, 3], value: 0 },
    inputs: [[[2, 6, 6, 12]]],
    outputs: [image],
  },
  { op: 'reshape', inputs: [image], outputs: [[[2, 210]]] },
  { op: 'scatterRows', attributes: { indices: [4, 0, 3] }, inputs: [[[3, 5, 5]]], outputs: [[[2, 3, 5, 5]]] },
  { op: 'gatherRows', attributes: { indices: [4, 0, 3] }, inputs: [[[2, 3, 5, 5]]], outputs: [[[3, 5, 5]]] },
  { op: 'adaptiveAveragePooling', inputs: [image], outputs: [[[2, 6, 2, 3]]] },
  { op: 'adaptiveAveragePoolingBackward', inputs: [[[2, 6, 2, 3]]], outputs: [image] },
  {
    op: 'normalizeImage',
    attributes: { scale: [0.01, 0.02, 0.03], bias: [1, -1, 0], order: [2, 0, 1] },
    inputs: [[[2, 5, 7, 4], 'u8']],
    outputs: [[[2, 3, 5, 7]]],
  },
]
