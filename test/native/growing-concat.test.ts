import { describe, expect, it } from 'vitest'
import { addon, floats, noise, PlanBuilder } from './addon.js'

const device = addon.openDevice('cpu', { threads: 2, tuning: 'off' })
const [HEIGHT, WIDTH] = [3, 5]
const PIXELS = HEIGHT * WIDTH
const EPS = 1e-3

interface Images {
  readonly channels: number
  /** Rows of pixels: image by image, and in it channel by channel. */
  readonly data: Float32Array
}

const images = (batch: number, channels: number, seed: number): Images => ({
  channels,
  data: noise(batch * channels * PIXELS, seed),
})

function joined(parts: readonly Images[], batch: number): Images {
  const rows: number[] = []
  for (let n = 0; n < batch; n++)
    for (const { channels, data } of parts)
      rows.push(...data.subarray(n * channels * PIXELS, (n + 1) * channels * PIXELS))
  return { channels: parts.reduce((sum, { channels }) => sum + channels, 0), data: Float32Array.from(rows) }
}

const norms = (channels: number) => ({
  gamma: noise(channels, 1001),
  beta: noise(channels, 1002),
  mean: noise(channels, 1003),
  variance: noise(channels, 1004).map((v) => 1.5 + v),
})

function normalised({ channels, data }: Images): Float32Array {
  const { gamma, beta, mean, variance } = norms(channels)
  return data.map((value, i) => {
    const c = Math.floor(i / PIXELS) % channels
    return Math.max(0, ((value - mean[c]!) / Math.sqrt(variance[c]! + EPS)) * gamma[c]! + beta[c]!)
  })
}

/** A network by hand, its parameters, and the inputs that it gets. */
class Network {
  readonly plan = new PlanBuilder().phase('forward')
  readonly store = device.createStore()
  readonly inputs: Record<string, Float32Array> = {}

  constructor(
    readonly batch: number,
    readonly dtype: 'f32' | 'bf16' = 'f32',
  ) {}

  private parameter(name: string, shape: readonly number[], data: Float32Array): number {
    this.store.define(name, 'f32', shape, data)
    return this.plan.parameter(name, shape)
  }

  /** An input as a convolution gives it: in the layout that this processor's have. */
  images({ channels, data }: Images): number {
    const name = `x${Object.keys(this.inputs).length}`
    this.inputs[name] = data
    const taps = Float32Array.from({ length: channels * channels * 9 }, (_, i) =>
      i % 9 === 4 && Math.floor(i / (9 * channels)) === Math.floor(i / 9) % channels ? 1 : 0,
    )
    const weight = this.parameter(`weight of ${name}`, [channels, channels, 3, 3], taps)
    const y = this.plan.convolution(this.plan.input(name, [this.batch, channels, HEIGHT, WIDTH]), weight)
    this.plan.buffers[y]!.dtype = this.dtype
    return y
  }

  concat(...parts: number[]): number {
    const shapes = parts.map((part) => this.plan.buffers[part]!.shape)
    const channels = shapes.reduce((sum, shape) => sum + shape[1]!, 0)
    const y = this.plan.buffer([this.batch, channels, HEIGHT, WIDTH], this.dtype)
    this.plan.run('concat', parts, [y])
    return y
  }

  norm(x: number): number {
    const { shape } = this.plan.buffers[x]!
    const operands = Object.entries(norms(shape[1]!)).map(([name, data]) =>
      this.parameter(`${name} of ${x}`, [shape[1]!], data),
    )
    const y = this.plan.buffer(shape, this.dtype)
    this.plan.run('batchNorm', [x, ...operands], [y], { eps: EPS, activation: 'relu' })
    return y
  }

  /** Has the plan give a buffer in f32. */
  asFloats(name: string, x: number): void {
    this.plan.output(name, this.plan.elementwise(x, 'linear', 1, 0))
  }

  /** Runs it and compares: every value within `bound` of what is expected. */
  async run(expected: Readonly<Record<string, Float32Array>>, bound = 1e-5) {
    const program = await device.compile(this.plan, this.store)
    const results = await program.run(['forward'], this.inputs, Object.keys(expected))
    for (const [name, values] of Object.entries(expected)) {
      const got = floats(results[name])
      const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0)
      expect(worst, `largest error of ${name}`).toBeLessThan(bound)
    }
    return program.describe()
  }
}

const WIDTHS = [
  [16, 16, 16],
  [32, 16, 8],
  [48, 32, 20],
  [8, 24, 8],
  [3, 5, 2],
]
const CASES = [1, 2, 5].flatMap((batch) => WIDTHS.map((widths) => [batch, widths] as const))

describe.each(CASES)('a concatenation that grows, %d images of %j channels', (batch, widths) => {
  const parts = widths.map((channels, i) => images(batch, channels, i + 1))
  const [a, b, c] = parts as [Images, Images, Images]

  it('joins what it is made of, and norms read it as it lies', async () => {
    const net = new Network(batch)
    const first = net.concat(net.images(a), net.images(b))
    net.plan.output('first', net.norm(first))
    const second = net.concat(first, net.images(c))
    net.plan.output('second', net.norm(second))
    const schedule = await net.run({
      first: normalised(joined([a, b], batch)),
      second: normalised(joined(parts, batch)),
    })
    const concats = schedule.filter(({ op }) => op === 'concat')
    expect(concats[1]!.inPlace).toBe(true)
    const read = schedule.filter(({ op }) => op === 'batchNorm').map(({ inputs }) => inputs[0])
    expect(read).toEqual(concats.map(({ outputs }) => outputs[0]))
  })

  it('gives other readers a copy in a layout of theirs', async () => {
    const net = new Network(batch)
    const first = net.concat(net.images(a), net.images(b))
    net.plan
      .output('doubled', net.plan.elementwise(first, 'linear', 2, 0))
      .output('sum', net.plan.add(first, first))
    const second = net.concat(first, net.images(c))
    net.plan.output('second', second).output('norm', net.norm(second))
    const both = joined([a, b], batch).data
    const whole = joined(parts, batch)
    await net.run({
      doubled: both.map((v) => 2 * v),
      sum: both.map((v) => 2 * v),
      second: whole.data,
      norm: normalised(whole),
    })
  })

  it('leaves alone what is read once more', async () => {
    const net = new Network(batch)
    const first = net.concat(net.images(a), net.images(b))
    const left = net.concat(first, net.images(c))
    const right = net.concat(first, net.images(b))
    net.plan.output('left', net.norm(left)).output('right', net.norm(right)).output('first', first)
    await net.run({
      left: normalised(joined(parts, batch)),
      right: normalised(joined([a, b, b], batch)),
      first: joined([a, b], batch).data,
    })
  })

  it('does the same in bf16', async ({ skip }) => {
    const net = new Network(batch, 'bf16')
    const first = net.concat(net.images(a), net.images(b))
    net.asFloats('first', net.norm(first))
    const second = net.concat(first, net.images(c))
    net.asFloats('second', net.norm(second))
    const expected = { first: normalised(joined([a, b], batch)), second: normalised(joined(parts, batch)) }
    // Inputs up to 1, which the norm makes 1.5 times as large, and results up to 4: each rounded to 8 bits.
    const schedule = await net.run(expected, 6 / 2 ** 9).catch((error: unknown) => {
      const { message } = error as Error
      if (!message.includes('AVX512_BF16')) throw error
      return skip(message)
    })
    const concats = schedule.filter(({ op }) => op === 'concat')
    expect(concats.map(({ outputs }) => outputs[0]!.endsWith('bf16'))).toEqual([true, true])
    expect(concats[1]!.inPlace).toBe(true)
  })
})
