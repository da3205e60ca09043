import type { Case, Operand } from './one-operation.js'

// What cuDNN and cuBLAS are asked for, and the kernels of ours beside them, a case or more an operation.

const image: Operand = [[2, 8, 5, 7]]
const odd: Operand = [[2, 5, 6, 3]]
const perChannel = (count: number): Operand => [[count], 'f32']
const positive = Array.from({ length: 8 }, (_, i) => 0.25 + i / 8)
const oddPositive = positive.slice(0, 5)
const window = { kernel: [3, 2], stride: [2, 1], padding: [1, 0, 1, 1] }
const dense = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1], groups: 1 }
const uneven = { stride: [2, 2], padding: [0, 1, 1, 2], dilation: [1, 1], groups: 2 }

export const LIBRARY_CASES: readonly Case[] = [
  {
    op: 'convolution',
    attributes: { ...dense, activation: 'none' },
    inputs: [image, [[4, 8, 3, 3]], null, null],
    outputs: [[[2, 4, 5, 7]]],
  },
  {
    op: 'convolution',
    attributes: { ...dense, activation: 'relu' },
    inputs: [image, [[4, 8, 3, 3]], [[4], 'f32'], [[2, 4, 5, 7]]],
    outputs: [[[2, 4, 5, 7]]],
  },
  {
    op: 'convolution',
    attributes: { ...uneven, activation: 'relu' },
    inputs: [image, [[4, 4, 3, 3]], [[4]], null],
    outputs: [[[2, 4, 2, 4]]],
  },
  {
    op: 'convolutionBackwardData',
    attributes: uneven,
    inputs: [[[2, 4, 2, 4]], [[4, 4, 3, 3]]],
    outputs: [image],
  },
  {
    op: 'convolutionBackwardWeights',
    attributes: uneven,
    inputs: [image, [[2, 4, 2, 4]]],
    outputs: [[[4, 4, 3, 3]], [[4], 'f32']],
  },
  {
    op: 'linear',
    attributes: { activation: 'relu' },
    inputs: [odd, [[7, 90]], [[7], 'f32']],
    outputs: [[[2, 7]]],
  },
  { op: 'linearBackwardData', inputs: [[[2, 7]], [[7, 90]]], outputs: [odd] },
  { op: 'linearBackwardWeights', inputs: [odd, [[2, 7]]], outputs: [[[7, 90]], [[7], 'f32']] },
  {
    op: 'pooling',
    attributes: { kind: 'max', ...window, countPadding: false },
    inputs: [image],
    outputs: [[[2, 8, 3, 7]]],
  },
  {
    op: 'pooling',
    attributes: { kind: 'average', ...window, countPadding: true },
    inputs: [odd],
    outputs: [[[2, 5, 3, 3]]],
  },
  {
    op: 'poolingBackward',
    attributes: { kind: 'average', ...window, countPadding: false },
    inputs: [[[2, 8, 3, 7]], null],
    outputs: [image],
  },
  {
    op: 'poolingBackward',
    attributes: { kind: 'max', ...window, countPadding: false },
    inputs: [[[2, 8, 3, 7]]],
    forward: { op: 'pooling', output: [[2, 8, 3, 7]] },
    outputs: [image],
  },
  {
    op: 'batchNorm',
    attributes: { eps: 1e-3, activation: 'relu' },
    inputs: [image, ...Array<Operand>(4).fill(perChannel(8))],
    outputs: [image],
    data: { 4: positive },
  },
  {
    op: 'batchNormTraining',
    attributes: { eps: 1e-3, momentum: 0.3, activation: 'relu' },
    inputs: [odd, ...Array<Operand>(4).fill(perChannel(5))],
    outputs: [odd, perChannel(5), perChannel(5), { updates: 3 }, { updates: 4 }],
    data: { 4: oddPositive },
  },
  {
    op: 'batchNormBackward',
    attributes: { eps: 1e-3, activation: 'relu', runningStatistics: false },
    inputs: [image, image, ...Array<Operand>(4).fill(perChannel(8))],
    outputs: [image, perChannel(8), perChannel(8)],
    data: { 5: positive },
  },
  {
    op: 'batchNormBackward',
    attributes: { eps: 1e-3, activation: 'none', runningStatistics: true },
    inputs: [odd, odd, ...Array<Operand>(4).fill(perChannel(5))],
    outputs: [odd],
    data: { 5: oddPositive },
  },
  {
    op: 'foldBatchNorm',
    attributes: { eps: 1e-3 },
    inputs: [[[8, 3, 2, 2]], null, ...Array<Operand>(4).fill(perChannel(8))],
    outputs: [[[8, 3, 2, 2]], perChannel(8)],
    data: { 5: positive },
  },
  {
    op: 'localResponseNorm',
    attributes: { size: 5, alpha: 0.5, beta: 0.75, k: 1 },
    inputs: [image],
    outputs: [image],
  },
  {
    op: 'localResponseNormBackward',
    attributes: { size: 5, alpha: 0.5, beta: 0.75, k: 1 },
    inputs: [image, image],
    forward: { op: 'localResponseNorm', output: image },
    outputs: [image],
  },
  { op: 'softmax', attributes: { log: false }, inputs: [image], outputs: [image] },
  { op: 'softmaxBackward', attributes: { log: true }, inputs: [[[3, 9]], [[3, 9]]], outputs: [[[3, 9]]] },
  ...(['relu', 'sigmoid', 'tanh', 'linear'] as const).flatMap((kind): Case[] => [
    { op: 'elementwise', attributes: { kind, alpha: 1.5, beta: 0.5 }, inputs: [odd], outputs: [odd] },
    {
      op: 'elementwiseBackward',
      attributes: { kind, alpha: 1.5, beta: 0.5 },
      inputs: [odd, odd],
      outputs: [odd],
    },
  ]),
  { op: 'add', attributes: { activation: 'relu' }, inputs: [odd, odd], outputs: [odd] },
]
