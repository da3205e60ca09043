import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Value } from '../../ts/graph/graph.js'
import {
  add,
  affine,
  convolution,
  dropout,
  linear,
  logSoftmax,
  maxPool,
  radialBasis,
  relu,
  scaleChannels,
  scaledTanh,
  sigmoid,
  softmax,
  tanh,
} from '../../ts/graph/ops/index.js'
import type { Device } from '../../ts/runtime/device.js'
import type { Shape } from '../../ts/tensor.js'
import { check } from '../support/gradients.js'
import { openTestDevice } from '../support/device.js'

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

const SHAPES: readonly Shape[] = [
  [1, 3, 5, 7],
  [2, 17, 3, 3],
  [3, 48, 2, 1],
  [3, 6],
  [1, 5],
]
const EACH = SHAPES.map((shape) => [shape] as const)

describe.each(EACH)('of %j', (shape) => {
  const channels = [shape[1]!]

  test.each([
    ['relu', relu],
    ['sigmoid', sigmoid],
    ['tanh', tanh],
    ['scaledTanh', scaledTanh],
    ['softmax', softmax],
    ['logSoftmax', logSoftmax],
  ])('%s', async (_, op) => {
    const { wrong } = await check(device, ({ input }) => op(input('x', shape, { between: [-3, 3] })))
    expect(wrong).toEqual({})
  })

  test('affine', async () => {
    const { wrong } = await check(device, ({ input }) => affine(input('x', shape), -2.5, 3))
    expect(wrong).toEqual({})
  })

  test('add, and with a ReLU', async () => {
    const plain = await check(device, ({ input }) => add(input('a', shape), input('b', shape)))
    expect(plain.wrong).toEqual({})
    const fused = await check(device, ({ input }) => relu(add(input('a', shape), input('b', shape))))
    expect(fused.wrong).toEqual({})
    expect(fused.schedule.filter(({ op }) => op === 'elementwise')).toEqual([])
  })

  test('scaleChannels', async () => {
    const scaled = await check(device, ({ input, parameter }) =>
      scaleChannels(input('x', shape), parameter('coefficient', channels), parameter('bias', channels)),
    )
    expect(scaled.wrong).toEqual({})
    expect(scaled.gradients).toEqual(['x', 'coefficient', 'bias'])
    const unbiased = await check(device, ({ input, parameter }) =>
      scaleChannels(input('x', shape), parameter('coefficient', channels)),
    )
    expect(unbiased.wrong).toEqual({})
  })

  test('dropout', async () => {
    const { wrong } = await check(device, ({ input }) => dropout(input('x', shape), 0.4))
    expect(wrong).toEqual({})
  })
})

describe('linear', () => {
  test.each([
    [1, 3, 5],
    [2, 16, 16],
    [3, 17, 6],
    [3, 48, 10],
    [1, 120, 84],
  ])('of %d rows from %d to %d', async (n, inputs, outputs) => {
    const biased = await check(device, ({ input, parameter }) =>
      linear(input('x', [n, inputs]), parameter('weight', [outputs, inputs]), parameter('bias', [outputs])),
    )
    expect(biased.wrong).toEqual({})
    expect(biased.gradients).toEqual(['x', 'weight', 'bias'])
    const fused = await check(device, ({ input, parameter }) =>
      relu(linear(input('x', [n, inputs]), parameter('weight', [outputs, inputs]))),
    )
    expect(fused.wrong).toEqual({})
    expect(fused.schedule.filter(({ op }) => op === 'elementwise')).toEqual([])
  })

  test.each([
    [['weight'], ['linearBackwardWeights']],
    [['x'], ['linearBackwardData']],
    [[], []],
  ])('computes no more than the gradients of %j', async (names, expected) => {
    const wanted = (name: string) => ({ wanted: names.includes(name) })
    const { wrong, schedule } = await check(device, ({ input, parameter }) =>
      linear(input('x', [2, 5], wanted('x')), parameter('weight', [3, 5], wanted('weight'))),
    )
    expect(wrong).toEqual({})
    expect(schedule.map(({ op }) => op).filter((op) => op.startsWith('linearB'))).toEqual(expected)
  })
})

describe('radial basis', () => {
  test.each([
    [1, 5, 3],
    [2, 84, 10],
    [3, 17, 16],
  ])('of %d rows from %d to %d', async (n, inputs, outputs) => {
    const { wrong, gradients } = await check(device, ({ input, parameter }) =>
      radialBasis(input('x', [n, inputs]), parameter('centres', [outputs, inputs])),
    )
    expect(wrong).toEqual({})
    expect(gradients).toEqual(['x', 'centres'])
  })

  test('of fixed centres', async () => {
    const { wrong, gradients } = await check(device, ({ input, parameter }) =>
      radialBasis(input('x', [3, 6]), parameter('centres', [4, 6], { wanted: false })),
    )
    expect(wrong).toEqual({})
    expect(gradients).toEqual(['x'])
  })
})

describe('a value that is used several times gets the sum of its gradients', () => {
  test.each([
    ['added to itself', (x) => add(x, x)],
    ['added to itself, with a ReLU', (x) => relu(add(x, x))],
    ['three times', (x) => add(add(sigmoid(x), x), tanh(x))],
    ['behind a ReLU that cannot be fused', (x) => add(affine(x, 3), relu(affine(x, 3)))],
    ['of a shortcut around pooling', (x) => add(maxPool(x, { kernel: 3, stride: 1, padding: 1 }), x)],
  ] satisfies [string, (x: Value) => Value][])('%s', async (_, op) => {
    const { wrong } = await check(device, ({ input }) => op(input('x', [2, 6, 5, 3])))
    expect(wrong).toEqual({})
  })

  test('in a residual block', async () => {
    const { wrong } = await check(device, ({ input, parameter }) => {
      const x = relu(convolution(input('x', [2, 3, 7, 7]), parameter('first', [16, 3, 3, 3]), { padding: 1 }))
      const branch = convolution(x, parameter('second', [16, 16, 3, 3]), { padding: 1 })
      return relu(add(convolution(relu(branch), parameter('third', [16, 16, 1, 1])), x))
    })
    expect(wrong).toEqual({})
  })
})
