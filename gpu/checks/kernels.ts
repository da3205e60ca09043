// What each operation's kernels achieve: chains of one operation over data that lies on the device, forward and
// backward, as TFLOP/s of the multiplications that the operation has and GB/s of the tensors that it must touch.
import { optimize, toPlan } from '../../ts/compile/compile.js'
import { differentiate } from '../../ts/compile/gradient.js'
import { Graph, type Value } from '../../ts/graph/graph.js'
import {
  add,
  averagePool,
  batchNorm,
  convolution,
  linear,
  localResponseNorm,
  maxPool,
  relu,
  tanh,
} from '../../ts/graph/ops/index.js'
import { median } from '../../ts/report/quartiles.js'
import { elementCount, type Shape } from '../../ts/tensor.js'
import { milliseconds } from '../../bench/support/statistics.js'
import { deviceOptionsOf } from '../support/mode.js'
import { keepingInputs } from '../support/plans.js'
import { report } from '../support/row.js'
import { openTarget, reduced } from '../support/target.js'

/** Operations of a chain: enough for the start of a run not to count. */
const LENGTH = reduced ? 2 : 12
const ROUNDS = reduced ? 3 : 12

interface Kernel {
  readonly name: string
  readonly shape: Shape
  /** Multiplications and additions of one operation. */
  readonly flops: number
  readonly link: (x: Value, parameter: (name: string, shape: Shape) => Value) => Value
}

const image = (n: number, c: number, side: number): Shape => (reduced ? [1, 16, 8, 8] : [n, c, side, side])

function convolutions(): Kernel[] {
  return (
    [
      [64, 56, 3],
      [128, 28, 3],
      [256, 14, 3],
      [512, 7, 3],
      [256, 56, 1],
      [1024, 14, 1],
    ] as const
  ).map(([channels, side, kernel]) => {
    const shape = image(64, channels, side)
    const c = shape[1]!
    return {
      name: `convolution ${kernel}x${kernel}, ${c} channels, ${shape[2]!} x ${shape[2]!}`,
      shape,
      flops: 2 * elementCount(shape) * c * kernel * kernel,
      link: (x, parameter) =>
        convolution(x, parameter('weight', [c, c, kernel, kernel]), { padding: (kernel - 1) / 2 }),
    }
  })
}

const WIDE: Shape = reduced ? [4, 32] : [256, 4096]
const MAPS = image(64, 64, 56)
const KERNELS: readonly Kernel[] = [
  ...convolutions(),
  {
    name: `linear ${WIDE[1]!}`,
    shape: WIDE,
    flops: 2 * elementCount(WIDE) * WIDE[1]!,
    link: (x, parameter) =>
      linear(x, parameter('weight', [WIDE[1]!, WIDE[1]!]), parameter('bias', [WIDE[1]!])),
  },
  {
    name: 'max pool 3x3',
    shape: MAPS,
    flops: 0,
    link: (x) => maxPool(x, { kernel: 3, stride: 1, padding: 1 }),
  },
  {
    name: 'average pool 3x3',
    shape: MAPS,
    flops: 0,
    link: (x) => averagePool(x, { kernel: 3, stride: 1, padding: 1 }),
  },
  {
    name: 'batch norm and ReLU',
    shape: MAPS,
    flops: 0,
    link: (x, parameter) => {
      const of = (name: string) => parameter(name, [MAPS[1]!])
      const operands = { gamma: of('gamma'), beta: of('beta'), mean: of('mean'), variance: of('variance') }
      return relu(batchNorm(x, { ...operands, eps: 1e-5, momentum: 0.1 }))
    },
  },
  { name: 'local response norm', shape: MAPS, flops: 0, link: (x) => localResponseNorm(x, { size: 5 }) },
  { name: 'tanh', shape: MAPS, flops: 0, link: (x) => tanh(x) },
  { name: 'sum', shape: MAPS, flops: 0, link: (x) => add(x, tanh(x)) },
]

for (const mode of ['f32', 'TF32'] as const) {
  const device = await openTarget({ tuning: 'fast', ...deviceOptionsOf(mode) })
  for (const kernel of KERNELS) if (mode === 'f32' || kernel.flops > 0) await measure(device, kernel, mode)
  device.close()
}

async function measure(
  device: Awaited<ReturnType<typeof openTarget>>,
  { name, shape, flops, link }: Kernel,
  mode: 'f32' | 'TF32',
): Promise<void> {
  const graph = new Graph('training')
  const leaves = [graph.input('x', shape)]
  let y = leaves[0]!
  for (let i = 0; i < LENGTH; i++)
    y = link(y, (kind, size) => {
      const parameter = graph.parameter({ name: `${kind}${i}`, shape: size })
      if (!/mean|variance/.test(kind)) leaves.push(parameter)
      return parameter
    })
  graph.outputs.set('y', y)
  const half = optimize(graph)
  const result = half.outputs.get('y')!
  const seed = half.input('seed', result.shape)
  const wanted = leaves.flatMap((leaf) => half.inputs.get(leaf.name) ?? half.parameters.get(leaf.name) ?? [])
  const gradients = differentiate(half, new Map([[result, seed]]), wanted)
  for (const leaf of wanted) half.outputs.set(`d ${leaf.name}`, gradients.get(leaf)!)
  using store = device.createStore()
  for (const parameter of half.parameters.values())
    store.define(parameter.name, parameter.shape, values(elementCount(parameter.shape)))
  const plan = keepingInputs(toPlan(half))
  using program = await device.compile(plan, store)
  const given = { x: values(elementCount(shape)), seed: values(elementCount(shape)) }
  const inputs = Object.fromEntries(
    plan.inputs.map(({ name: input }) => [input, given[input as 'x' | 'seed']]),
  )
  await program.run(['forward', 'backward'], inputs, [])
  const forward = await typical(() => program.run(['forward'], {}, []))
  const both = await typical(() => program.run(['forward', 'backward'], {}, []))
  const bytes = 4 * elementCount(shape)
  for (const [direction, ms, work, moved] of [
    ['forward', forward, flops, 2 * bytes],
    ['backward', both - forward, 2 * flops, 3 * bytes],
  ] as const)
    report({
      check: 'kernel',
      name: `${name}, ${direction}`,
      mode,
      status: 'info',
      values: {
        ms: Number((ms / LENGTH).toPrecision(4)),
        TFLOPs: work > 0 ? Number(((1e-9 * work * LENGTH) / ms).toPrecision(4)) : null,
        GBps: Number(((1e-6 * moved * LENGTH) / ms).toPrecision(4)),
      },
    })
}

function values(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => 0.05 * Math.sin(i + 1))
}

async function typical(run: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < 3; i++) await run()
  const times: number[] = []
  for (let i = 0; i < ROUNDS; i++) times.push(await milliseconds(run))
  return median(times)
}
