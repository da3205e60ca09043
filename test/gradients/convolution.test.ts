import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { convolution, pad, relu, type ConvolutionOptions } from '../../ts/graph/ops/index.js'
import type { Device } from '../../ts/runtime/device.js'
import type { Shape } from '../../ts/tensor.js'
import { check } from '../support/gradients.js'
import { openTestDevice } from '../support/device.js'

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

const GEOMETRIES: readonly (readonly [string, Shape, Shape, ConvolutionOptions])[] = [
  ['a single channel', [1, 1, 7, 5], [3, 1, 3, 3], {}],
  ['an even kernel', [2, 3, 6, 9], [5, 3, 2, 4], {}],
  ['1 x 1', [3, 17, 5, 3], [6, 17, 1, 1], {}],
  ['1 x 1, stride 2', [2, 16, 7, 7], [48, 16, 1, 1], { stride: 2 }],
  ['3 x 3, padding', [2, 16, 7, 5], [16, 16, 3, 3], { padding: 1 }],
  ['channels that fill no block', [1, 17, 5, 5], [5, 17, 3, 3], { padding: 1 }],
  ['more outputs than a block', [2, 5, 5, 5], [17, 5, 3, 3], { padding: 1 }],
  ['three blocks', [1, 48, 4, 4], [48, 48, 3, 3], { padding: 1 }],
  ['stride 2', [3, 6, 9, 7], [16, 6, 3, 3], { stride: 2, padding: 1 }],
  ['stride 2 that leaves a row', [2, 3, 8, 10], [16, 3, 3, 3], { stride: 2 }],
  ['stride as in [3, 2]', [2, 5, 10, 9], [6, 5, 5, 3], { stride: [3, 2], padding: [2, 1] }],
  ['7 x 7, stride 2, as a stem', [1, 3, 15, 17], [16, 3, 7, 7], { stride: 2, padding: 3 }],
  ['11 x 11, stride 4, as a stem', [1, 3, 31, 27], [16, 3, 11, 11], { stride: 4, padding: 2 }],
  ['asymmetric padding', [2, 3, 6, 7], [5, 3, 3, 3], { padding: [0, 1, 2, 0] }],
  ['asymmetric padding, stride 2', [2, 16, 8, 8], [16, 16, 3, 3], { padding: [0, 0, 1, 1], stride: 2 }],
  ['dilation', [2, 6, 9, 8], [5, 6, 3, 3], { dilation: [2, 3], padding: 2 }],
  ['dilation, stride 2', [1, 16, 11, 11], [17, 16, 3, 3], { dilation: 2, stride: 2, padding: 2 }],
  ['groups', [2, 6, 5, 7], [9, 2, 3, 3], { groups: 3, padding: 1 }],
  ['groups of blocks', [2, 32, 5, 5], [32, 16, 3, 3], { groups: 2, padding: 1 }],
  ['groups of 24, as in AlexNet', [1, 48, 5, 5], [48, 24, 5, 5], { groups: 2, padding: 2 }],
  ['groups of one: depthwise', [2, 17, 6, 5], [17, 1, 3, 3], { groups: 17, padding: 1 }],
  ['depthwise with two outputs a channel, stride 2', [2, 3, 7, 7], [6, 1, 3, 3], { groups: 3, stride: 2 }],
  ['1 x 7', [2, 6, 5, 9], [5, 6, 1, 7], { padding: [0, 3] }],
  ['7 x 1', [2, 6, 9, 5], [5, 6, 7, 1], { padding: [3, 0] }],
  ['as large as the image', [3, 16, 5, 5], [120, 16, 5, 5], {}],
]

describe.each(GEOMETRIES)('convolution: %s', (_, image, kernel, options) => {
  test('with a bias', async () => {
    const { wrong, gradients } = await check(device, ({ input, parameter }) =>
      convolution(input('x', image), parameter('weight', kernel), {
        ...options,
        bias: parameter('bias', [kernel[0]!]),
      }),
    )
    expect(wrong).toEqual({})
    expect(gradients).toEqual(['x', 'weight', 'bias'])
  })

  test('without a bias, with a ReLU', async () => {
    const { wrong, schedule } = await check(device, ({ input, parameter }) =>
      relu(convolution(input('x', image), parameter('weight', kernel), options)),
    )
    expect(wrong).toEqual({})
    expect(schedule.filter(({ op }) => op === 'elementwise')).toEqual([])
  })
})

describe('what nobody asks for is not computed', () => {
  const wants = (names: readonly string[]) =>
    check(device, ({ input, parameter }) => {
      const wanted = (name: string) => ({ wanted: names.includes(name) })
      const bias = parameter('bias', [5], wanted('bias'))
      return convolution(
        input('x', [2, 3, 6, 6], wanted('x')),
        parameter('weight', [5, 3, 3, 3], wanted('weight')),
        {
          bias,
        },
      )
    })
  const backward = 'convolutionBackward'

  test.each([
    [['weight', 'bias'], [`${backward}Weights`]],
    [['weight'], [`${backward}Weights`]],
    [['bias'], [`${backward}Weights`]],
    [['x'], [`${backward}Data`]],
    [
      ['x', 'weight', 'bias'],
      [`${backward}Data`, `${backward}Weights`],
    ],
    [[], []],
  ])('of %j', async (names, expected) => {
    const { wrong, gradients, schedule } = await wants(names)
    expect(wrong).toEqual({})
    expect([...gradients].sort()).toEqual([...names].sort())
    expect(schedule.map(({ op }) => op).filter((op) => op.startsWith(backward))).toEqual(expected)
  })
})

test('zero padding that is merged into the convolution', async () => {
  const { wrong, schedule } = await check(device, ({ input, parameter }) =>
    convolution(pad(input('x', [2, 3, 7, 6]), [1, 0, 2, 3]), parameter('weight', [5, 3, 3, 3]), {
      padding: 1,
    }),
  )
  expect(wrong).toEqual({})
  expect(schedule.map(({ op }) => op)).not.toContain('pad')
})

test('one weight for two convolutions gets the sum of both gradients', async () => {
  const { wrong } = await check(device, ({ input, parameter }) => {
    const weight = parameter('weight', [5, 5, 3, 3])
    const first = convolution(input('x', [2, 5, 7, 6]), weight, { padding: 1 })
    return convolution(relu(first), weight, { padding: 1 })
  })
  expect(wrong).toEqual({})
})
