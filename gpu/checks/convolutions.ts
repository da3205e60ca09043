// A few convolutions forward and backward, beside double precision: the first sign of life.
import type { Value } from '../../ts/graph/graph.js'
import { convolution, relu, type ConvolutionOptions } from '../../ts/graph/ops/index.js'
import { check, FLOAT32_BOUND, type Leaves } from '../../test/support/gradients.js'
import { report } from '../support/row.js'
import { openTarget } from '../support/target.js'

const CASES: readonly (readonly [
  name: string,
  channels: number,
  outputs: number,
  kernel: number,
  ConvolutionOptions,
])[] = [
  ['3x3', 16, 32, 3, { padding: 1 }],
  ['1x1 of stride 2', 64, 32, 1, { stride: 2 }],
  ['7x7 of stride 2', 3, 16, 7, { stride: 2, padding: 3 }],
  ['3x3 in two groups', 16, 16, 3, { padding: 1, groups: 2 }],
]

const device = await openTarget()
for (const [name, channels, outputs, kernel, options] of CASES) {
  const build = ({ input, parameter }: Leaves): Value =>
    relu(
      convolution(
        input('x', [2, channels, 12, 12]),
        parameter('weight', [outputs, channels / (options.groups ?? 1), kernel, kernel]),
        { ...options, bias: parameter('bias', [outputs]) },
      ),
    )
  const { wrong, gradients, schedule } = await check(device, build)
  const kernels = schedule
    .filter(({ op }) => op.startsWith('convolution'))
    .map(({ implementation }) => implementation)
  const ok = Object.keys(wrong).length === 0 && gradients.length === 3
  report({
    check: 'convolution',
    name,
    mode: 'f32',
    status: ok ? 'pass' : 'fail',
    values: { kernels: kernels.join(' ') },
    note: ok
      ? ''
      : `errors over ${FLOAT32_BOUND}: ${JSON.stringify(wrong)}; gradients of ${gradients.join(', ')}`,
  })
}
device.close()
