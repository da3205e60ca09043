import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  add,
  concat,
  connect,
  convolution,
  flatten,
  linear,
  pad,
  relu,
  reshape,
  sliceChannels,
  subsamplePad,
} from '../../ts/graph/ops/index.js'
import type { Device } from '../../ts/runtime/device.js'
import { check } from '../support/gradients.js'
import { openTestDevice } from '../support/device.js'

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

test.each([
  [1, 5, 7, [3, 5]],
  [2, 3, 3, [16, 16]],
  [3, 4, 5, [17, 3, 48, 6]],
  [2, 1, 1, [1, 1, 1]],
])('concat of %d images of %d x %d with channels %j', async (n, height, width, channels) => {
  const { wrong, gradients } = await check(device, ({ input }) =>
    concat(channels.map((c, i) => input(`x${i}`, [n, c, height, width]))),
  )
  expect(wrong).toEqual({})
  expect(gradients).toHaveLength(channels.length)
})

test('concat cuts out only the gradients that are asked for', async () => {
  const { wrong, gradients, schedule } = await check(device, ({ input }) =>
    concat([1, 2, 3].map((c) => input(`x${c}`, [2, c, 3, 3], { wanted: c === 2 }))),
  )
  expect(wrong).toEqual({})
  expect(gradients).toEqual(['x2'])
  expect(schedule.filter(({ op }) => op === 'slice')).toHaveLength(1)
})

test('concat of one value with itself', async () => {
  const { wrong } = await check(device, ({ input }) => {
    const x = input('x', [2, 5, 3, 4])
    return concat([x, relu(x), x])
  })
  expect(wrong).toEqual({})
})

test.each([
  [[1, 6, 5, 3], 0, 2],
  [[2, 17, 3, 3], 16, 17],
  [[3, 48, 2, 5], 5, 37],
  [[2, 16, 3, 3], 0, 16],
] as const)('slice of %j from %d to %d', async (shape, start, end) => {
  const { wrong } = await check(device, ({ input }) => sliceChannels(input('x', shape), start, end))
  expect(wrong).toEqual({})
})

test.each([
  [[1, 3, 7, 5], 2, 6],
  [[2, 16, 6, 6], 2, 32],
  [[3, 5, 4, 7], 3, 8],
  [[2, 17, 3, 3], 1, 48],
  [[1, 6, 5, 5], 2, 6],
] as const)(
  'every so many pixels of %j (stride %d), padded to %d channels',
  async (shape, stride, channels) => {
    const { wrong } = await check(device, ({ input }) => subsamplePad(input('x', shape), stride, channels))
    expect(wrong).toEqual({})
  },
)

test.each([
  [[1, 3, 5, 3], [1, 2, 3, 4], 0],
  [[2, 17, 3, 3], [0, 1, 0, 0], -2.5],
  [[3, 16, 2, 2], [3, 0, 0, 1], 1],
] as const)('pad of %j by %j with %d', async (shape, edges, value) => {
  const { wrong } = await check(device, ({ input }) => pad(input('x', shape), edges, value))
  expect(wrong).toEqual({})
})

test('reshape', async () => {
  const { wrong } = await check(device, ({ input }) => reshape(input('x', [2, 6, 5, 3]), [3, 4, 5, 3]))
  expect(wrong).toEqual({})
})

describe('behind convolutions, whose layout is blocked', () => {
  const convolved = (op: Parameters<typeof check>[1]) => check(device, op)

  test('flatten and a linear layer', async () => {
    const { wrong } = await convolved(({ input, parameter }) => {
      const x = convolution(input('x', [3, 3, 5, 6]), parameter('weight', [17, 3, 3, 3]))
      return linear(flatten(relu(x)), parameter('dense', [5, 17 * 12]), parameter('bias', [5]))
    })
    expect(wrong).toEqual({})
  })

  test('concat, slice, pad and a shortcut without parameters', async () => {
    const { wrong } = await convolved(({ input, parameter }) => {
      const x = input('x', [2, 16, 6, 7])
      const a = convolution(x, parameter('a', [16, 16, 3, 3]), { padding: 1 })
      const b = convolution(x, parameter('b', [5, 16, 1, 1]))
      const joined = concat([a, relu(b), x])
      const half = convolution(pad(joined, [0, 1, 1, 0], 0.5), parameter('c', [48, 37, 3, 3]), {
        stride: 2,
        padding: 1,
      })
      return relu(add(half, pad(subsamplePad(sliceChannels(joined, 3, 20), 2, 48), [0, 0, 1, 0])))
    })
    expect(wrong).toEqual({})
  })
})

describe('a connection table', () => {
  test('lays kernels into a dense weight', async () => {
    const { wrong } = await check(device, ({ parameter }) =>
      connect(parameter('kernels', [4, 3, 2]), [5, 0, 2, 3], 3, 2),
    )
    expect(wrong).toEqual({})
  })

  test('in a convolution', async () => {
    const { wrong, gradients } = await check(device, ({ input, parameter }) =>
      convolution(input('x', [2, 3, 6, 5]), connect(parameter('kernels', [5, 3, 3]), [0, 2, 4, 5, 9], 5, 3), {
        bias: parameter('bias', [5]),
      }),
    )
    expect(wrong).toEqual({})
    expect(gradients).toEqual(['x', 'kernels', 'bias'])
  })
})
