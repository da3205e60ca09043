import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linear, relu } from '../../ts/graph/ops/index.js'
import type { Loss } from '../../ts/model/step.js'
import type { Device } from '../../ts/runtime/device.js'
import { crossEntropy, meanSquaredError, radialBasisLoss } from '../../ts/train/loss.js'
import { check, drawn } from '../support/gradients.js'
import { openTestDevice } from '../support/device.js'

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

const SIZES = [
  [1, 3],
  [2, 10],
  [3, 17],
  [5, 1000],
] as const

const ZEROS = new Float32Array(10)

/** Classes that are neither all the same nor in order; the last one is among them. */
function classes(n: number, count: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => (count - 1 + 7 * i) % count)
}

/** Rows that sum to 1. */
function distributions(n: number, count: number): Float32Array {
  const rows = drawn('labels', [n, count], [0, 1])
  for (let i = 0; i < n; i++) {
    const row = rows.subarray(i * count, (i + 1) * count)
    const total = row.reduce((sum, value) => sum + value)
    row.forEach((value, k) => (row[k] = value / total))
  }
  return rows
}

describe.each(SIZES)('of %d rows of %d', (n, count) => {
  const checked = (
    loss: Loss,
    labels: Int32Array | Float32Array,
    between: readonly [number, number] = [-4, 4],
  ) => check(device, ({ input }) => input('x', [n, count], { between }), { loss, labels, step: 1e-4 })

  test.each([0, 0.1, 0.5])('cross-entropy with label smoothing %d', async (labelSmoothing) => {
    const { wrong, gradients } = await checked(crossEntropy({ labelSmoothing }), classes(n, count))
    expect(wrong).toEqual({})
    expect(gradients).toEqual(['x'])
  })

  test.each([0, 0.1])('cross-entropy of soft labels, label smoothing %d', async (labelSmoothing) => {
    const loss = crossEntropy({ labelSmoothing, soft: true })
    expect((await checked(loss, distributions(n, count))).wrong).toEqual({})
  })

  test('cross-entropy of large logits', async () => {
    const { wrong } = await checked(crossEntropy(), classes(n, count), [80, 100])
    expect(wrong).toEqual({})
  })

  test('mean squared error', async () => {
    const { wrong } = await checked(meanSquaredError(), drawn('target', [n, count]))
    expect(wrong).toEqual({})
  })

  test.each([0.1, 2])('radial basis loss with j = %d', async (j) => {
    const { wrong } = await checked(radialBasisLoss({ j }), classes(n, count), [0, 6])
    expect(wrong).toEqual({})
  })
})

test('soft labels that need not sum to 1', async () => {
  const { wrong } = await check(device, ({ input }) => input('x', [3, 5]), {
    loss: crossEntropy({ soft: true, labelSmoothing: 0.2 }),
    labels: drawn('weights', [3, 5], [0, 2]),
  })
  expect(wrong).toEqual({})
})

test('cross-entropy of logits that no exponential can hold', async () => {
  const { output } = await check(
    device,
    ({ input }) => input('x', [2, 3], { data: [200, 0, -200, -1000, 1000, 0], wanted: false }),
    { loss: crossEntropy(), labels: Int32Array.of(1, 1) },
  )
  expect([...output]).toEqual([100])
})

test.each([0.3, 0.4])('auxiliary heads count %d', async (auxiliaryWeight) => {
  const { wrong, gradients } = await check(
    device,
    ({ graph, input, parameter }) => {
      const x = relu(linear(input('x', [3, 5]), parameter('first', [6, 5])))
      graph.outputs.set('aux1', linear(x, parameter('aux1', [10, 6])))
      graph.outputs.set('aux2', linear(x, parameter('aux2', [10, 6])))
      return linear(x, parameter('last', [10, 6]), parameter('bias', [10]))
    },
    { loss: crossEntropy({ auxiliaryWeight, labelSmoothing: 0.1 }), labels: Int32Array.of(3, 0, 9) },
  )
  expect(wrong).toEqual({})
  expect(gradients).toEqual(['x', 'first', 'aux1', 'aux2', 'last', 'bias'])
  const even = await check(
    device,
    ({ graph, input }) => {
      for (const name of ['aux1', 'aux2']) graph.outputs.set(name, input(name, [1, 10], { data: ZEROS }))
      return input('x', [1, 10], { data: ZEROS })
    },
    { loss: crossEntropy({ auxiliaryWeight }), labels: Int32Array.of(4) },
  )
  expect(even.output[0]).toBeCloseTo((1 + 2 * auxiliaryWeight) * Math.log(10), 5)
})

test('the radial basis loss of ten distances of 0 is log(e^-j + 10)', async () => {
  const { output } = await check(device, ({ input }) => input('x', [1, 10], { data: ZEROS }), {
    loss: radialBasisLoss({ j: -3 }),
    labels: Int32Array.of(4),
  })
  expect(output[0]).toBeCloseTo(Math.log(Math.exp(3) + 10), 5)
})
