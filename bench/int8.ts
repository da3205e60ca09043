// What eight-bit integers would give: every convolution of a network by the library called directly from C++, on f32, on
// bf16 and on u8 x s8 with 32-bit sums, one scale a channel and results rounded to u8. Of each the fastest kernel that the
// library has counts, Winograd's among them; all three take turns. Prints a line of JSON a shape.
//
//   node dist/bench/int8.js [--batch 1] [--rounds 5] [--runs 3] [--warm] [--threads 2] [--csv FILE] [NETWORK ...]
//
// --warm: operands are in the processor's caches as far as they fit, instead of in none.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { createModel, parseModelName } from '../models/index.js'
import { optimize, toPlan } from '../ts/compile/compile.js'
import { median, quartiles } from '../ts/report/quartiles.js'
import { flopsOf, problemOf } from '../ts/runtime/work.js'
import { Direct } from './support/direct.js'
import { machine } from './support/machine.js'
import { numbers } from './support/networks.js'
import { spell } from './support/problems.js'
import { digits, say, writeResults } from './support/results.js'
import type { Int8Row } from './support/rows.js'
import { geometricMean } from './support/statistics.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '3' },
    warm: { type: 'boolean', default: false },
    threads: { type: 'string', default: String(availableParallelism()) },
    csv: { type: 'string' },
  },
})

/** Element types of images, weight, bias, what is added, and result. */
const TYPES = {
  f32: ['f32', 'f32', 'f32', 'f32', 'f32'],
  bf16: ['bf16', 'bf16', 'f32', 'bf16', 'bf16'],
  int8: ['u8', 's8', 'f32', 'u8', 'u8'],
} as const
type TypeName = keyof typeof TYPES
const NAMES = Object.keys(TYPES) as TypeName[]

/** A convolution that is met so often. */
interface Shape {
  readonly network: string
  readonly layer: string
  readonly batch: number
  readonly problem: string
  readonly flops: number
  count: number
}

function convolutions(network: string, batch: number): Shape[] {
  const model = createModel(parseModelName(network))
  const plan = toPlan(optimize(model.trace('evaluation', { batch })))
  const shapes = new Map<string, Shape>()
  for (const instruction of plan.instructions) {
    if (instruction.op !== 'convolution') continue
    const problem = problemOf(instruction, plan)
    const text = spell(problem)
    const shape = shapes.get(text) ?? {
      network,
      layer: instruction.path,
      batch,
      problem: text,
      flops: flopsOf(problem),
      count: 0,
    }
    shape.count++
    shapes.set(text, shape)
  }
  return [...shapes.values()]
}

/** A problem on other element types. */
function typed(problem: string, types: readonly string[]): string {
  const name = (type: string, shape: string) => (type === 'f32' || shape === '-' ? shape : `${type}:${shape}`)
  return problem.replace(/in=(\S+) out=(\S+)/, (_, inputs: string, output: string) => {
    const given = inputs.split(',').map((shape, i) => name(types[i]!, shape))
    return `in=${given.join(',')} out=${name(types.at(-1)!, output)}`
  })
}

async function measure(direct: Direct, shape: Shape): Promise<Int8Row> {
  const seconds: Record<TypeName, number[]> = { f32: [], bf16: [], int8: [] }
  const kernels: Record<TypeName, string> = { f32: '', bf16: '', int8: '' }
  for (let round = 0; round < Number(values.rounds); round++)
    for (const type of NAMES) {
      const problem = typed(shape.problem, TYPES[type])
      const { kernel, seconds: times } = await direct.fastest(problem, {
        cold: !values.warm,
        runs: Number(values.runs),
      })
      if (kernel === '') throw new Error(`the library has no kernel for ${problem}`)
      seconds[type].push(median(times))
      kernels[type] = kernel
    }
  const ratio = (slow: TypeName, fast: TypeName) =>
    quartiles(seconds[slow].map((time, round) => time / seconds[fast][round]!))
  const [f32, bf16] = [ratio('f32', 'int8'), ratio('bf16', 'int8')]
  const { network, layer, batch, problem, count, flops } = shape
  return {
    network,
    layer,
    batch,
    count,
    flops,
    problem,
    f32Kernel: kernels.f32,
    f32Us: digits(1e6 * median(seconds.f32)),
    bf16Kernel: kernels.bf16,
    bf16Us: digits(1e6 * median(seconds.bf16)),
    int8Kernel: kernels.int8,
    int8Us: digits(1e6 * median(seconds.int8)),
    f32ByInt8Low: digits(f32.low),
    f32ByInt8: digits(f32.median),
    f32ByInt8High: digits(f32.high),
    bf16ByInt8Low: digits(bf16.low),
    bf16ByInt8: digits(bf16.median),
    bf16ByInt8High: digits(bf16.high),
  }
}

const direct = await Direct.start(Number(values.threads))
const description = machine({ library: direct.description, caches: values.warm ? 'warm' : 'cold' })
const rows: Int8Row[] = []
for (const network of positionals.length > 0 ? positionals : ['resnet50'])
  for (const batch of numbers(values.batch))
    for (const shape of convolutions(network, batch)) {
      rows.push(await measure(direct, shape))
      say(rows.at(-1)!)
    }
await direct.stop()
say({
  summary: 'geometric means over shapes',
  shapes: rows.length,
  f32ByInt8: digits(geometricMean(rows.map((row) => row.f32ByInt8))),
  bf16ByInt8: digits(geometricMean(rows.map((row) => row.bf16ByInt8))),
})
await writeResults(values.csv, { machine: description, rows })
