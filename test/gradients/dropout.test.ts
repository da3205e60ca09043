import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Graph } from '../../ts/graph/graph.js'
import { convolution, dropout, globalAveragePool, linear, flatten, relu } from '../../ts/graph/ops/index.js'
import type { Device } from '../../ts/runtime/device.js'
import { elementCount, type Shape } from '../../ts/tensor.js'
import { check, type CheckOptions } from '../support/gradients.js'
import { openTestDevice, TEST_DEVICE } from '../support/device.js'

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

type Words = NonNullable<CheckOptions['random']>

/** What a layer at `path` keeps of ones. */
async function kept(shape: Shape, p: number, random: Words, path = 'drop'): Promise<Float32Array> {
  const ones = new Float32Array(elementCount(shape)).fill(1)
  const { wrong, output } = await check(
    device,
    ({ graph, input }) => {
      const x = input('x', shape, { data: ones, wanted: false })
      return graph.within(path, () => dropout(x, p))
    },
    { random },
  )
  expect(wrong).toEqual({})
  return output
}

describe('the mask', () => {
  const shape = [4, 25, 20, 25]

  test.each([0.1, 0.5, 0.9])('drops a share of %d and scales the rest', async (p) => {
    const mask = await kept(shape, p, [5, 0, 0, 0])
    const dropped = mask.filter((value) => value === 0).length
    // Four standard deviations of a binomial distribution.
    const spread = 4 * Math.sqrt(mask.length * p * (1 - p))
    expect(Math.abs(dropped - p * mask.length)).toBeLessThan(spread)
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / (1 - p))]))
  })

  test('is the same for the same seed, step and layer, and another one for any other', async () => {
    const first = await kept(shape, 0.5, [1, 2, 3, 4])
    expect(await kept(shape, 0.5, [1, 2, 3, 4])).toEqual(first)
    const others = [
      await kept(shape, 0.5, [2, 2, 3, 4]),
      await kept(shape, 0.5, [1, 3, 3, 4]),
      await kept(shape, 0.5, [1, 2, 4, 4]),
      await kept(shape, 0.5, [1, 2, 3, 5]),
      await kept(shape, 0.5, [1, 2, 3, 4], 'another'),
    ]
    for (const other of others) {
      const common = other.filter((value, i) => value === first[i]).length
      expect(Math.abs(common - first.length / 2)).toBeLessThan(4 * Math.sqrt(first.length / 4))
    }
  })

  test('of high words that make the numbers negative', async () => {
    await kept([2, 5, 3, 3], 0.3, [-1, -2, -3, -4])
  })
})

// 61 pixels and more take a kernel's second turn; channels that fill no block leave padding.
test.each([
  [1, 16, 2, 1],
  [2, 17, 3, 3],
  [3, 5, 8, 8],
  [2, 48, 11, 7],
  [1, 33, 13, 11],
])('is that of plain tensors in a blocked one: %d x %d x %d x %d', async (n, c, height, width) => {
  const { wrong, schedule } = await check(device, ({ input, parameter }) => {
    const x = convolution(input('x', [n, 3, height, width]), parameter('in', [c, 3, 1, 1]))
    const dropped = dropout(relu(x), 0.4)
    return convolution(dropped, parameter('out', [16, c, 1, 1]))
  })
  expect(wrong).toEqual({})
  const layouts = schedule.find(({ op }) => op === 'dropout')!.inputs[0]!
  expect(layouts).toMatch(TEST_DEVICE === 'cpu' ? /[a-z]\d+[a-z]$/ : /^nhwc$/)
})

test('two layers have two masks, and both stand in the backward half', async () => {
  const { wrong, schedule } = await check(device, ({ graph, input, parameter }) => {
    const first = graph.within('a', () => dropout(input('x', [3, 6, 5, 5]), 0.2))
    const x = convolution(first, parameter('weight', [16, 6, 3, 3]))
    const second = graph.within('b', () => dropout(flatten(globalAveragePool(x)), 0.5))
    return linear(second, parameter('dense', [5, 16]))
  })
  expect(wrong).toEqual({})
  expect(schedule.filter(({ op }) => op === 'dropout').map(({ phase, path }) => `${phase} ${path}`)).toEqual([
    'forward a',
    'forward b',
    'backward b',
    'backward a',
  ])
})

test('nothing is dropped in evaluation, nor with a probability of zero', () => {
  const evaluation = new Graph('evaluation').input('x', [2, 3])
  expect(dropout(evaluation, 0.5)).toBe(evaluation)
  const training = new Graph('training').input('x', [2, 3])
  expect(dropout(training, 0)).toBe(training)
})
