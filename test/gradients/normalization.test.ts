import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Graph, type Value } from '../../ts/graph/graph.js'
import {
  batchNorm,
  convolution,
  localResponseNorm,
  relu,
  type LocalResponseNormOptions,
} from '../../ts/graph/ops/index.js'
import type { Device } from '../../ts/runtime/device.js'
import type { Shape } from '../../ts/tensor.js'
import { check, drawn, FLOAT32_BOUND, relativeL2, type Leaves } from '../support/gradients.js'
import { openTestDevice, TEST_DEVICE } from '../support/device.js'

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

function operands(
  { parameter }: Leaves,
  channels: number,
  { eps = 1e-5, momentum = 0.1, learns = true } = {},
) {
  return {
    gamma: parameter('gamma', [channels], { between: [0.5, 1.5], wanted: learns }),
    beta: parameter('beta', [channels], { wanted: learns }),
    mean: parameter('mean', [channels], { wanted: false }),
    variance: parameter('variance', [channels], { between: [0.5, 2], wanted: false }),
    eps,
    momentum,
  }
}

const SHAPES: readonly Shape[] = [
  [1, 3, 5, 7],
  [2, 16, 3, 5],
  [3, 17, 4, 1],
  [2, 48, 3, 3],
  [1, 5, 2, 3],
  [3, 6],
]

describe.each(SHAPES.map((shape) => [shape]))('batch norm of %j', (shape) => {
  const channels = shape[1]!

  test('by the statistics of the batch, which move the running ones', async () => {
    let y: Value | null = null
    const { wrong, gradients, parameters, reference } = await check(
      device,
      (leaves) =>
        (y = batchNorm(leaves.input('x', shape), operands(leaves, channels, { eps: 1e-3, momentum: 0.3 }))),
    )
    expect(wrong).toEqual({})
    expect(gradients).toEqual(['x', 'gamma', 'beta'])
    const [, , , mean, variance] = y!.producer!.outputs
    expect(relativeL2(parameters.get('mean')!, reference(mean!).data)).toBeLessThan(FLOAT32_BOUND)
    expect(relativeL2(parameters.get('variance')!, reference(variance!).data)).toBeLessThan(FLOAT32_BOUND)
  })

  test('with a ReLU', async () => {
    const { wrong, schedule } = await check(device, (leaves) =>
      relu(batchNorm(leaves.input('x', shape), operands(leaves, channels))),
    )
    expect(wrong).toEqual({})
    expect(schedule.filter(({ op }) => op.startsWith('elementwise'))).toEqual([])
  })

  test.each([false, true])('frozen: by running statistics, which stay; ReLU: %s', async (activated) => {
    const { wrong, gradients, schedule, parameters } = await check(
      device,
      (leaves) => {
        const y = batchNorm(leaves.input('x', shape), operands(leaves, channels, { learns: false }))
        return activated ? relu(y) : y
      },
      { frozen: ['gamma', 'beta'] },
    )
    expect(wrong).toEqual({})
    expect(gradients).toEqual(['x'])
    expect(schedule.map(({ op }) => op)).not.toContain('batchNormTraining')
    expect(parameters.get('mean')!).toEqual(drawn('mean', [channels]))
  })
})

describe('batch norm', () => {
  test.each([[['gamma', 'beta']], [[]]])('with eps within the root (frozen: %j)', async (frozen) => {
    const { output } = await check(
      device,
      ({ input, parameter }) =>
        batchNorm(input('x', [2, 1, 1, 1], { data: [-1, 1], wanted: false }), {
          gamma: parameter('gamma', [1], { data: [6], wanted: false }),
          beta: parameter('beta', [1], { data: [1], wanted: false }),
          mean: parameter('mean', [1], { data: [0], wanted: false }),
          variance: parameter('variance', [1], { data: [1], wanted: false }),
          eps: 3,
          momentum: 0.1,
        }),
      { frozen },
    )
    expect([...output]).toEqual([-2, 4])
  })

  test('behind a convolution, as in every residual network', async () => {
    const { wrong } = await check(
      device,
      (leaves) => {
        const { input, parameter } = leaves
        const x = convolution(input('x', [3, 6, 7, 5]), parameter('weight', [17, 6, 3, 3]), { padding: 1 })
        return relu(batchNorm(x, operands(leaves, 17)))
      },
      // The gradient of the weights is what the norm leaves of larger terms.
      { bound: 3 * FLOAT32_BOUND },
    )
    expect(wrong).toEqual({})
  })

  test('of far away numbers', async () => {
    const { wrong } = await check(
      device,
      (leaves) => batchNorm(leaves.input('x', [3, 5, 4, 4], { between: [99, 101] }), operands(leaves, 5)),
      // Float32 holds x to 4e-6 of its spread here.
      { bound: 1e-4 },
    )
    expect(wrong).toEqual({})
  })
})

describe('local response norm', () => {
  test.each([0, 2, 4, 2.5])('has no size of %d', (size) => {
    const x = new Graph('training').input('x', [1, 3, 2, 2])
    expect(() => localResponseNorm(x, { size })).toThrow(
      `the size of a local response norm must be odd, got ${size}`,
    )
  })

  const oneDnn = test.skipIf(TEST_DEVICE !== 'cpu')
  oneDnn('refuses a backward half over numbers of channels that oneDNN gets wrong', async () => {
    for (const size of [1, 7])
      await expect(
        check(device, ({ input }) => localResponseNorm(input('x', [1, 17, 3, 3]), { size })),
      ).rejects.toThrow(`over ${size} of 17 channels; supported here: 3, 5, and more of a multiple of 16`)
  })

  test('takes alpha as the paper has it, or divided as Caffe does', async () => {
    const of = (options: LocalResponseNormOptions) =>
      check(device, ({ input }) => localResponseNorm(input('x', [1, 1, 1, 1], { data: [2] }), options))
    // 2 / (2 + 0.5 * 2^2)^0.5, and 2 / (2 + 0.5 / 5 * 2^2)^0.5
    expect((await of({ alpha: 0.5, beta: 0.5 })).output[0]).toBeCloseTo(1, 6)
    const divided = await of({ alpha: 0.5, beta: 0.5, divideAlpha: true })
    expect(divided.output[0]).toBeCloseTo(2 / Math.sqrt(2.4), 6)
  })

  test.each([
    ['of AlexNet', [2, 16, 3, 5], {}],
    ['that counts', [2, 17, 3, 3], { alpha: 0.3, k: 1 }],
    ['over three channels', [1, 5, 5, 3], { size: 3, alpha: 0.5, beta: 0.5, k: 1 }],
    ['of GoogLeNet, as Caffe divides alpha', [3, 6, 3, 3], { alpha: 0.9, divideAlpha: true, k: 1 }],
    ['of fewer channels than neighbours', [1, 3, 4, 3], { alpha: 1, beta: 0.75, k: 2 }],
    ['of 48 channels', [2, 48, 2, 3], { alpha: 0.2 }],
    ['of 33 channels', [2, 33, 3, 3], { alpha: 0.2 }],
    ['over three of 17 channels', [1, 17, 3, 3], { size: 3, alpha: 0.2 }],
    ['over nine of 32 channels', [1, 32, 3, 3], { size: 9, alpha: 0.2 }],
  ] as const)('%s', async (_, shape, options) => {
    const { wrong } = await check(device, ({ input }) =>
      localResponseNorm(input('x', shape, { between: [-2, 2] }), options),
    )
    expect(wrong).toEqual({})
  })
})
