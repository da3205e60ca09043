import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  adaptiveAveragePool,
  averagePool,
  globalAveragePool,
  maxPool,
  type AveragePoolingOptions,
  type PoolingOptions,
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

// The size of the result is PyTorch's.
const WINDOWS: readonly (readonly [string, Shape, PoolingOptions, Shape])[] = [
  ['2 x 2', [2, 16, 6, 8], { kernel: 2 }, [2, 16, 3, 4]],
  ['that leaves a row', [1, 17, 7, 9], { kernel: 2 }, [1, 17, 3, 4]],
  ['3 x 3, stride 2, overlapping', [2, 48, 9, 7], { kernel: 3, stride: 2 }, [2, 48, 4, 3]],
  ['with padding', [3, 5, 7, 8], { kernel: 3, stride: 2, padding: 1 }, [3, 5, 4, 4]],
  [
    'of stride 1, as in an inception module',
    [2, 6, 5, 7],
    { kernel: 3, stride: 1, padding: 1 },
    [2, 6, 5, 7],
  ],
  ['oblong', [1, 3, 9, 8], { kernel: [3, 2], stride: [2, 3], padding: [1, 0] }, [1, 3, 5, 3]],
  ['asymmetric', [2, 3, 6, 6], { kernel: 3, stride: 2, padding: [0, 0, 1, 1] }, [2, 3, 3, 3]],
  ['of one pixel, stride 2', [1, 16, 5, 5], { kernel: 1, stride: 2 }, [1, 16, 3, 3]],
  ['of the whole image', [3, 17, 3, 5], { kernel: [3, 5] }, [3, 17, 1, 1]],
]
const ROUNDED_UP: typeof WINDOWS = [
  ['3 x 3, stride 2, rounded up', [2, 16, 8, 10], { kernel: 3, stride: 2, ceilMode: true }, [2, 16, 4, 5]],
  ['2 x 2, rounded up', [1, 3, 7, 5], { kernel: 2, ceilMode: true }, [1, 3, 4, 3]],
  [
    'with padding, rounded up; no window starts behind the image',
    [1, 5, 6, 7],
    { kernel: 3, stride: 2, padding: 1, ceilMode: true },
    [1, 5, 4, 4],
  ],
  [
    'of which one would start behind the image',
    [2, 3, 5, 4],
    { kernel: 2, stride: 3, padding: 1, ceilMode: true },
    [2, 3, 2, 2],
  ],
]

const checked = (image: Shape, pool: typeof maxPool, options: AveragePoolingOptions, size: Shape) =>
  check(device, ({ input }) => {
    const y = pool(input('x', image), options)
    expect(y.shape).toEqual(size)
    return y
  })

describe('maximum over windows', () => {
  test.each([...WINDOWS, ...ROUNDED_UP])('%s', async (_, image, options, size) => {
    expect((await checked(image, maxPool, options, size)).wrong).toEqual({})
  })
})

describe('mean over windows', () => {
  test.each(WINDOWS)('%s, padding counted', async (_, image, options, size) => {
    expect((await checked(image, averagePool, options, size)).wrong).toEqual({})
  })

  test.each([...WINDOWS, ...ROUNDED_UP])('%s, padding not counted', async (_, image, options, size) => {
    expect((await checked(image, averagePool, { ...options, countPadding: false }, size)).wrong).toEqual({})
  })
})

describe('mean over bins', () => {
  test.each([
    ['that share pixels', [2, 16, 7, 5], [3, 2]],
    ['more than pixels', [1, 5, 3, 2], [7, 5]],
    ['in one direction only', [3, 17, 5, 4], [1, 3]],
    ['as VGG on a small image', [2, 6, 9, 10], [7, 7]],
    ['as AlexNet on a large one', [1, 3, 13, 8], [6, 6]],
    ['of one size: windows', [2, 3, 6, 9], [3, 3]],
  ] as const)('%s', async (_, image, bins) => {
    const { wrong } = await check(device, ({ input }) => adaptiveAveragePool(input('x', image), bins))
    expect(wrong).toEqual({})
  })

  test.each([
    [1, 3, 7, 5],
    [2, 17, 1, 3],
    [3, 48, 4, 4],
  ])('over the whole of %d x %d x %d x %d', async (...image) => {
    const { wrong } = await check(device, ({ input }) => globalAveragePool(input('x', image)))
    expect(wrong).toEqual({})
  })
})

test('a maximum that several pixels share goes to one of them', async () => {
  const { wrong, output } = await check(device, ({ input }) =>
    maxPool(input('x', [1, 1, 2, 2], { data: [1, 1, 1, 1], wanted: false }), { kernel: 2 }),
  )
  expect(wrong).toEqual({})
  expect([...output]).toEqual([1])
})
