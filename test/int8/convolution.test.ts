import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addon, floats, noise, PlanBuilder } from '../native/addon.js'

// Integers of 8 bits against sums of integers, which JavaScript's numbers hold exactly. All scales are powers of two, so
// that results lie exactly on a half or to one side of it.

interface Case {
  readonly title: string
  readonly x: readonly [number, number, number, number]
  /** Output channels, kernel's height and width. */
  readonly filter: readonly [number, number, number]
  readonly stride?: readonly [number, number]
  readonly padding?: readonly [number, number, number, number]
  readonly dilation?: readonly [number, number]
  readonly groups?: number
  readonly from?: 'u8' | 's8'
  readonly to?: 'u8' | 's8' | 'f32'
  readonly residual?: 'u8' | 's8' | 'f32'
  readonly relu?: boolean
  readonly bias?: boolean
}

const CASES: readonly Case[] = [
  { title: 'sums of u8, as they are', x: [2, 16, 7, 7], filter: [32, 3, 3], to: 'f32' },
  { title: 'sums of s8, as they are', x: [2, 16, 7, 7], filter: [32, 3, 3], from: 's8', to: 'f32' },
  { title: 'odd sizes, padding of four widths', x: [1, 5, 9, 6], filter: [7, 3, 2], padding: [2, 0, 1, 1] },
  {
    title: 'an image of three channels, stride 2',
    x: [1, 3, 15, 15],
    filter: [20, 7, 7],
    stride: [2, 2],
    padding: [3, 3, 3, 3],
    from: 's8',
    relu: true,
  },
  { title: 'groups', x: [2, 12, 6, 5], filter: [18, 3, 3], groups: 3, from: 's8', to: 's8' },
  { title: 'a group a channel', x: [1, 32, 6, 6], filter: [32, 3, 3], groups: 32, relu: true },
  { title: 'dilation', x: [1, 8, 11, 12], filter: [16, 3, 3], dilation: [2, 3], to: 's8' },
  { title: 'a residual of u8 into u8', x: [1, 64, 6, 6], filter: [48, 1, 1], residual: 'u8', relu: true },
  { title: 'a residual of s8 into u8', x: [1, 64, 6, 6], filter: [48, 1, 1], residual: 's8', relu: true },
  {
    title: 'a residual of u8 into s8',
    x: [1, 7, 5, 5],
    filter: [9, 3, 3],
    residual: 'u8',
    from: 's8',
    to: 's8',
  },
  {
    title: 'a residual of f32 into f32',
    x: [2, 16, 5, 5],
    filter: [16, 3, 3],
    residual: 'f32',
    to: 'f32',
    relu: true,
  },
  { title: 'without a bias', x: [1, 16, 4, 4], filter: [16, 1, 1], bias: false, to: 's8' },
]

const LIMITS = { u8: [0, 255], s8: [-127, 127], f32: [-Infinity, Infinity] } as const
const OUTPUT_SCALE = 256
const RESIDUAL_FACTOR = 0.5

const integers = (count: number, seed: number, [low, high]: readonly [number, number]) =>
  noise(count, seed).map((value) => Math.round((low + high + value * (high - low)) / 2))

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** To the nearest integer, ties to even. */
function rounded(value: number): number {
  const low = Math.floor(value)
  return value - low === 0.5 ? low + (low % 2 === 0 ? 0 : 1) : Math.round(value)
}

/** Integer weights, one of each output's being ±127, so that they are their own quantisation. */
function weightsOf(rows: number, columns: number): Float32Array<ArrayBuffer> {
  const weights = integers(rows * columns, 2, [-127, 127])
  for (let row = 0; row < rows; row++) weights[row * columns + (row % columns)] = row % 2 === 0 ? 127 : -127
  return weights
}

class Problem {
  readonly output: readonly [number, number, number, number]
  readonly weight: readonly [number, number, number, number]
  readonly attributes
  readonly values

  constructor(readonly one: Case) {
    const { x, filter, stride = [1, 1], padding = [1, 1, 1, 1], dilation = [1, 1], groups = 1 } = one
    const [outputs, ...kernel] = filter
    const extent = (axis: 0 | 1) =>
      Math.floor(
        (x[axis + 2]! + padding[axis] + padding[axis + 2]! - dilation[axis] * (kernel[axis] - 1) - 1) /
          stride[axis],
      ) + 1
    this.output = [x[0], outputs, extent(0), extent(1)]
    this.weight = [outputs, x[1] / groups, kernel[0], kernel[1]]
    this.attributes = { stride, padding, dilation, groups, activation: one.relu ? 'relu' : 'none' }
    this.values = {
      x: integers(size(x), 1, LIMITS[one.from ?? 'u8']),
      weight: weightsOf(outputs, size(this.weight) / outputs),
      bias: integers(outputs, 3, [-4000, 4000]),
      residual: integers(size(this.output), 4, LIMITS[one.residual === 'u8' ? 'u8' : 's8']),
    }
  }

  /** What the definition says. */
  expected(): Float32Array {
    const { one, output, weight, values } = this
    const { to = 'u8', bias = true, residual, relu } = one
    const { stride, padding, dilation, groups } = this.attributes
    const [, , height, width] = one.x
    const [, channels, kh, kw] = weight
    const [, outputs, rows, columns] = output
    const result = new Float32Array(size(output))
    result.forEach((_, index) => {
      const column = index % columns
      const row = Math.floor(index / columns) % rows
      const o = Math.floor(index / (columns * rows)) % outputs
      const n = Math.floor(index / (columns * rows * outputs))
      const first = Math.floor(o / (outputs / groups)) * channels
      let sum = bias ? values.bias[o]! : 0
      for (let c = 0; c < channels; c++)
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++) {
            const h = row * stride[0] - padding[0] + i * dilation[0]
            const w = column * stride[1] - padding[1] + j * dilation[1]
            if (h < 0 || h >= height || w < 0 || w >= width) continue
            sum +=
              values.x[((n * one.x[1] + first + c) * height + h) * width + w]! *
              values.weight[((o * channels + c) * kh + i) * kw + j]!
          }
      let y = to === 'f32' ? sum : sum / OUTPUT_SCALE
      if (residual) y += RESIDUAL_FACTOR * values.residual[index]!
      if (relu) y = Math.max(y, 0)
      const [low, high] = to === 's8' ? [-128, 127] : LIMITS[to]
      // No zero has a sign.
      result[index] = to === 'f32' ? y : Math.min(Math.max(rounded(y), low), high) + 0
    })
    return result
  }

  async computed(tuning: 'off' | 'fast'): Promise<Float32Array> {
    const { one, output, weight, values } = this
    const { from = 'u8', to = 'u8', bias = true, residual, x } = one
    const plan = new PlanBuilder()
    const images = plan.input('x', x)
    const added = residual ? plan.input('residual', output) : -1
    const w = plan.parameter('weight', weight)
    const b = bias ? plan.parameter('bias', [weight[0]]) : -1
    const [packed, factor, shift] = [
      plan.buffer(weight, 's8'),
      plan.buffer([weight[0]]),
      plan.buffer([weight[0]]),
    ]
    plan.phase('constants')
    const outputScale = to === 'f32' ? 1 : OUTPUT_SCALE
    plan.run('quantizeWeights', [w, b], [packed, factor, shift], { inputScale: 1, outputScale })
    plan.phase('forward')
    const quantized = (value: number, shape: readonly number[], dtype: string) => {
      const bits = plan.buffer(shape, dtype)
      plan.run('quantize', [value], [bits], { scale: 1 })
      return bits
    }
    const image = quantized(images, x, from)
    const sum = residual && residual !== 'f32' ? quantized(added, output, residual) : added
    const y = plan.buffer(output, to)
    const attributes = {
      ...this.attributes,
      residualFactor: RESIDUAL_FACTOR,
    }
    plan.run('quantizedConvolution', [image, packed, factor, shift, sum], [y], attributes)
    const result = to === 'f32' ? y : plan.buffer(output)
    if (to !== 'f32') plan.run('dequantize', [y], [result], { scale: 1 })
    plan.output('y', result)

    const device = addon.openDevice('cpu', { tuning, threads: 2 })
    const store = device.createStore()
    store.define('weight', 'f32', weight, values.weight)
    if (bias) store.define('bias', 'f32', [weight[0]], values.bias)
    const program = await device.compile(plan, store)
    const inputs = { x: values.x, ...(residual && { residual: values.residual }) }
    const results = await program.run(['forward'], inputs, ['y'])
    program.dispose()
    device.close()
    return floats(results.y)
  }
}

const hasVnni = /avx512_vnni|avx_vnni/.test(readFileSync('/proc/cpuinfo', 'utf8'))

describe.skipIf(!hasVnni)('a convolution of integers of 8 bits (needs a processor with VNNI)', () => {
  for (const tuning of ['off', 'fast'] as const)
    it.each(CASES)(`$title, tuning ${tuning}`, async (one) => {
      const problem = new Problem(one)
      const expected = problem.expected()
      expect(await problem.computed(tuning)).toEqual(expected)
      if (one.to !== 'f32') expect(new Set(expected).size).toBeGreaterThan(20)
    })
})
