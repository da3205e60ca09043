import { describe, expect, it, test } from 'vitest'
import { createModel } from '../../models/index.js'
import { optimize, toPlan } from '../../ts/compile/compile.js'
import { TrainingProgram } from '../../ts/model/training.js'
import { summarize } from '../../ts/model/summary.js'
import type { Plan } from '../../ts/compile/plan.js'
import type { Attributes, OpName } from '../../ts/graph/schema.js'
import { bytesOf, flopsOf, problemOf, type Problem } from '../../ts/runtime/work.js'
import type { Shape } from '../../ts/tensor.js'

const f32 = (shape: Shape | null) => shape && ({ shape, dtype: 'f32' } as const)

function problem<Op extends OpName>(
  op: Op,
  attributes: Attributes<Op>,
  inputs: readonly (Shape | null)[],
  outputs: readonly (Shape | null)[],
): Problem {
  return { op, attributes, inputs: inputs.map(f32), outputs: outputs.map(f32) }
}

const geometry = { stride: [2, 2], padding: [3, 3, 3, 3], dilation: [1, 1], groups: 1 } as const
const stem = [1, 3, 224, 224]
const stemWeight = [64, 3, 7, 7]
const stemOutput = [1, 64, 112, 112]
// 802,816 outputs of 147 products each.
const STEM_FLOPS = 236_027_904

describe('convolutions', () => {
  it('count what the direct algorithm does, and every operand once', () => {
    const forward = problem(
      'convolution',
      { ...geometry, activation: 'relu' },
      [stem, stemWeight, [64], null],
      [stemOutput],
    )
    expect(flopsOf(forward)).toBe(STEM_FLOPS)
    // 150,528 of the image, 9,408 weights, 64 biases, 802,816 outputs.
    expect(bytesOf(forward)).toBe(4 * 962_816)
  })

  it('count as much for either gradient', () => {
    const data = problem('convolutionBackwardData', geometry, [stemOutput, stemWeight], [stem])
    const weights = problem('convolutionBackwardWeights', geometry, [stem, stemOutput], [stemWeight, [64]])
    expect(flopsOf(data)).toBe(STEM_FLOPS)
    expect(flopsOf(weights)).toBe(STEM_FLOPS)
  })

  it('count the channels of one group', () => {
    const grouped = {
      ...geometry,
      stride: [1, 1],
      padding: [1, 1, 1, 1],
      groups: 2,
      activation: 'none',
    } as const
    const forward = problem('convolution', grouped, [[2, 8, 4, 4], [6, 4, 3, 3], null, null], [[2, 6, 4, 4]])
    expect(flopsOf(forward)).toBe(2 * (2 * 6 * 16) * (4 * 9))
  })
})

// The work in additions, multiplications and comparisons, and the number of f32 that are moved.
const CASES: readonly (readonly [string, Problem, number, number])[] = [
  [
    'linear',
    problem('linear', { activation: 'none' }, [[8, 512], [1000, 512], [1000]], [[8, 1000]]),
    8_192_000,
    4_096 + 512_000 + 1_000 + 8_000,
  ],
  [
    'linear on an image',
    problem('linear', { activation: 'none' }, [[2, 4, 3, 3], [5, 36], null], [[2, 5]]),
    2 * 2 * 5 * 36,
    72 + 180 + 10,
  ],
  [
    'linearBackwardData',
    problem(
      'linearBackwardData',
      {},
      [
        [8, 10],
        [10, 4],
      ],
      [[8, 4]],
    ),
    640,
    80 + 40 + 32,
  ],
  [
    'linearBackwardWeights',
    problem(
      'linearBackwardWeights',
      {},
      [
        [8, 4],
        [8, 10],
      ],
      [[10, 4], [10]],
    ),
    640,
    32 + 80 + 40 + 10,
  ],
  [
    'max pooling',
    problem(
      'pooling',
      { kind: 'max', kernel: [3, 2], stride: [2, 2], padding: [0, 0, 0, 0], countPadding: false },
      [[1, 2, 7, 6]],
      [[1, 2, 3, 3], null],
    ),
    18 * 6,
    84 + 18,
  ],
  [
    'batch norm in training, with ReLU',
    problem(
      'batchNormTraining',
      { eps: 1e-5, momentum: 0.1, activation: 'relu' },
      [[2, 3, 4, 4], [3], [3], [3], [3]],
      [[2, 3, 4, 4], [3], [3], [3], [3]],
    ),
    96 * 7,
    2 * (96 + 12),
  ],
  [
    'add',
    problem(
      'add',
      { activation: 'none' },
      [
        [2, 3],
        [2, 3],
      ],
      [[2, 3]],
    ),
    6,
    18,
  ],
  [
    'concat',
    problem(
      'concat',
      {},
      [
        [1, 2, 2, 2],
        [1, 3, 2, 2],
      ],
      [[1, 5, 2, 2]],
    ),
    0,
    40,
  ],
  ['slice', problem('slice', { start: 1 }, [[1, 8, 2, 2]], [[1, 2, 2, 2]]), 0, 16],
  ['clear', problem('clear', {}, [[7]], [[7]]), 0, 7],
  [
    // Factor 1, weight decay 2, velocity 2, update 2.
    'sgd with momentum and weight decay',
    problem(
      'sgd',
      { lrScale: 1, weightDecay: 1e-4, maxNorm: 0, momentum: 0.9, nesterov: false },
      [[10], [10], [4], [1], [10]],
      [[10], [10]],
    ),
    70,
    3 * 10 + 5 + 2 * 10,
  ],
  [
    'plain sgd',
    problem(
      'sgd',
      { lrScale: 1, weightDecay: 0, maxNorm: 0, momentum: 0, nesterov: false },
      [[10], [10], [4], [1], null],
      [[10], null],
    ),
    30,
    2 * 10 + 5 + 10,
  ],
  ['scaled gradient', problem('scaleGradient', {}, [[2, 3], [2]], [[2, 3]]), 6, 14],
  ['joint norm', problem('gradientNorm', {}, [[2, 3], [5]], [[1]]), 22, 12],
  [
    'radial basis',
    problem(
      'radialBasis',
      {},
      [
        [2, 84],
        [10, 84],
      ],
      [[2, 10]],
    ),
    3 * 20 * 84,
    168 + 840 + 20,
  ],
]

test.each(CASES)('%s', (_, problem, flops, numbers) => {
  expect(flopsOf(problem)).toBe(flops)
  expect(bytesOf(problem)).toBe(4 * numbers)
})

test('element types have their sizes', () => {
  const normalize = {
    op: 'normalizeImage',
    attributes: { scale: [], bias: [], order: [] },
    inputs: [{ shape: [1, 4, 4, 3], dtype: 'u8' }],
    outputs: [{ shape: [1, 3, 4, 4], dtype: 'f32' }],
  } as const satisfies Problem
  expect(bytesOf(normalize)).toBe(48 + 4 * 48)
})

function total(plan: Plan, ...ops: readonly OpName[]): number {
  return plan.instructions
    .map((instruction) => problemOf(instruction, plan))
    .filter(({ op }) => ops.includes(op))
    .reduce((sum, problem) => sum + flopsOf(problem), 0)
}

test.each(['alexnet', 'googlenet', 'resnet50', 'densenet121'] as const)(
  '%s: twice the multiply-adds of its summary',
  (name) => {
    const model = createModel(name)
    const plan = toPlan(optimize(model.trace('evaluation', { batch: 2 })))
    expect(total(plan, 'convolution', 'linear')).toBe(2 * summarize(model, { batch: 2 }).multiplyAdds)
  },
)

test('gradients of weights cost as much as the forward half, those of data all but the first layer', () => {
  const plan = TrainingProgram.plan(createModel('resnet18'), {
    training: true,
    batch: 2,
    inputGradient: false,
  })
  const forward = total(plan, 'convolution', 'linear')
  expect(total(plan, 'convolutionBackwardWeights', 'linearBackwardWeights')).toBe(forward)
  expect(total(plan, 'convolutionBackwardData', 'linearBackwardData')).toBe(forward - 2 * STEM_FLOPS)
})
