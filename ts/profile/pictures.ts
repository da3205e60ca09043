import { drawBars, type Bar } from '../report/bars.js'
import type { Costs, StepCost } from './costs.js'

/** As Okabe and Ito chose them (2008). */
const PALETTE = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9']
const OTHERS = '#999999'
const MIB = 2 ** 20

/**
 * How fast the program computes from its first step to its last: a bar a step, as wide as it takes, as high as its
 * rate, so that its area is its work.
 */
export function drawRates(title: string, costs: Costs): Promise<string> {
  return drawBars({
    title: `${title}: arithmetic over time`,
    x: { title: 'time (ms)' },
    y: { title: 'GFLOP/s' },
    ...bars(costs, ({ flops, seconds }) => (seconds > 0 ? flops / seconds / 1e9 : 0)),
  })
}

/** How much of the arena is in use, from the first step to the last. */
export function drawMemory(title: string, costs: Costs): Promise<string> {
  return drawBars({
    title: `${title}: memory in use over time`,
    x: { title: 'time (ms)' },
    y: { title: 'MiB' },
    ...bars(costs, ({ live }) => live / MIB),
  })
}

function bars({ steps, ops }: Costs, height: (step: StepCost) => number) {
  const named = ops.slice(0, PALETTE.length).map(({ op }) => op)
  const nameOf = (op: string) => (named.includes(op) ? op : 'others')
  const colours = new Map(named.map((op, i) => [op, PALETTE[i]!]))
  if (ops.length > named.length) colours.set('others', OTHERS)
  const drawn: Bar[] = []
  let from = 0
  for (const step of steps) {
    const to = from + 1000 * step.seconds
    drawn.push({ from, to, height: height(step), name: nameOf(step.op) })
    from = to
  }
  return { bars: drawn, colours }
}
