import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Value } from '../../ts/graph/graph.js'
import { add, convolution, relu, tanh, type ConvolutionOptions } from '../../ts/graph/ops/index.js'
import { Device } from '../../ts/runtime/device.js'
import type { Shape } from '../../ts/tensor.js'
import { check, type Leaves } from '../support/gradients.js'

// The convolution kernels that fovea brings itself, each chosen by force, beside the reference in double precision.

/** Of sums that Winograd's transforms make larger before they make them smaller. */
const WINOGRAD_BOUND = 2e-5
const DIRECT_BOUND = 1e-5

type Case = readonly [name: string, image: Shape, kernel: Shape, options: ConvolutionOptions]

const WINOGRAD: readonly Case[] = [
  ['whole tiles', [1, 16, 8, 8], [16, 16, 3, 3], { padding: 1 }],
  ['parts of tiles', [1, 16, 7, 5], [32, 16, 3, 3], { padding: 1 }],
  ['less than a tile', [2, 16, 3, 3], [16, 16, 3, 3], { padding: 1 }],
  ['no padding', [1, 16, 9, 11], [16, 16, 3, 3], {}],
  ['padding of two', [1, 16, 5, 6], [16, 16, 3, 3], { padding: 2 }],
  ['asymmetric padding', [2, 16, 6, 7], [16, 16, 3, 3], { padding: [0, 1, 2, 0] }],
  ['channels that fill no block', [1, 19, 6, 9], [21, 19, 3, 3], { padding: 1 }],
  ['groups of unequal size', [1, 32, 5, 5], [80, 32, 3, 3], { padding: 1 }],
  ['tiles of several images', [3, 32, 9, 6], [48, 32, 3, 3], { padding: 1 }],
  ['more tiles than a block', [1, 160, 18, 18], [16, 160, 3, 3], { padding: 1 }],
  ['5 x 5', [2, 16, 7, 9], [32, 16, 5, 5], { padding: 2 }],
  ['5 x 5, asymmetric padding', [1, 19, 8, 5], [70, 19, 5, 5], { padding: [0, 2, 3, 1] }],
  ['1 x 7', [1, 20, 5, 17], [70, 20, 1, 7], { padding: [0, 3] }],
  ['1 x 7, asymmetric padding', [2, 16, 3, 9], [16, 16, 1, 7], { padding: [1, 2, 0, 5] }],
  ['7 x 1', [1, 20, 17, 5], [70, 20, 7, 1], { padding: [3, 0] }],
  ['7 x 1, no padding', [2, 16, 12, 3], [16, 16, 7, 1], {}],
  ['1 x 3', [2, 16, 5, 9], [48, 16, 1, 3], { padding: [0, 1] }],
  ['3 x 1', [2, 16, 9, 5], [48, 16, 3, 1], { padding: [1, 0] }],
]

const DIRECT: readonly Case[] = [
  ['1 x 1', [3, 17, 5, 7], [64, 17, 1, 1], {}],
  ['1 x 1 of rows that can be joined', [1, 32, 12, 21], [64, 32, 1, 1], {}],
  ['1 x 1, stride 2', [2, 16, 7, 9], [70, 16, 1, 1], { stride: 2 }],
  ['3 x 3, padding', [2, 16, 7, 5], [64, 16, 3, 3], { padding: 1 }],
  ['stride 2', [2, 48, 9, 8], [96, 48, 3, 3], { stride: 2, padding: 1 }],
  ['asymmetric padding', [1, 16, 6, 7], [80, 16, 3, 3], { padding: [0, 1, 2, 0] }],
  ['dilation', [2, 16, 9, 8], [64, 16, 3, 3], { dilation: [2, 3], padding: 2 }],
  ['1 x 7', [1, 20, 5, 9], [65, 20, 1, 7], { padding: [0, 3] }],
  ['7 x 1', [1, 20, 9, 5], [65, 20, 7, 1], { padding: [3, 0] }],
  ['5 x 5, rows of more pixels than registers', [1, 16, 6, 40], [64, 16, 5, 5], { padding: 2 }],
  ['more channels than are summed at once', [1, 320, 4, 3], [64, 320, 3, 3], { padding: 1 }],
]

let cache: string
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'fovea-kernels-'))
  vi.stubEnv('FOVEA_CACHE', cache)
})
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(cache, { recursive: true, force: true })
})

const KERNELS: readonly (readonly [string, readonly Case[], number])[] = [
  ...['own tiles', 'shared tiles', 'own weights'].map(
    (method) => [`winograd ${method}`, WINOGRAD, WINOGRAD_BOUND] as const,
  ),
  ...[2, 3, 4].map((vectors) => [`direct by ${vectors}`, DIRECT, DIRECT_BOUND] as const),
]

/** Runs a network once to learn the names of its problems, then with `kernel` wherever there is a choice. */
async function holds(kernel: string, build: (leaves: Leaves) => Value, bound: number): Promise<void> {
  using device = await Device.open('cpu', { tuning: 'fast' })
  if (!device.description.includes('AVX-512')) {
    console.log(`${kernel} skipped: it needs AVX-512, and this is ${device.description}`)
    return
  }
  const options = { bound, mode: 'evaluation' } as const
  await check(device, build, options)
  const problems = Object.keys(device.kernelChoices())
  device.useKernels(Object.fromEntries(problems.map((problem) => [problem, kernel])))
  const { wrong, schedule } = await check(device, build, options)
  expect(schedule.find(({ op }) => op === 'convolution')!.implementation).toBe(`fovea:${kernel}`)
  expect(wrong).toEqual({})
}

describe.each(KERNELS)('%s', (kernel, cases, bound) => {
  describe.each(cases)('%s', (_, image, weight, options) => {
    const unwanted = { wanted: false }
    const named = (name: string, { input, parameter }: Leaves) =>
      convolution(input(name, image, unwanted), parameter(`${name}.weight`, weight, unwanted), {
        ...options,
        bias: parameter(`${name}.bias`, [weight[0]!], unwanted),
      })

    test('with a bias', () => holds(kernel, (leaves) => named('x', leaves), bound))
    // Of another convolution and for something else, so that the sum may take the residual's memory.
    test('with a residual that is added, and a ReLU', () =>
      holds(kernel, (leaves) => tanh(relu(add(named('x', leaves), named('residual', leaves)))), bound))
  })
})
