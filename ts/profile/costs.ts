import { median, quartiles, type Quartiles } from '../report/quartiles.js'
import type { ArenaBlock } from '../runtime/native.js'
import type { Profile, ProfiledStep } from '../runtime/profile.js'

/** What one step of a program costs. */
export interface StepCost {
  readonly phase: string
  /** The layer that it comes from; empty for the network itself. */
  readonly path: string
  readonly op: string
  readonly kernel: string
  /** Layouts of the first input and the first output. */
  readonly layout: readonly [string, string]
  /** Median. */
  readonly seconds: number
  /** Of the time of all steps. */
  readonly share: number
  readonly flops: number
  /** Bytes read and written, every operand once. */
  readonly moved: number
  /** Bytes of the arena that are in use while it runs. */
  readonly live: number
}

/** What all steps of one operation cost together. */
export interface OpCost {
  readonly op: string
  readonly count: number
  readonly seconds: number
  readonly share: number
  readonly flops: number
  readonly moved: number
}

/** What a program costs, step by step and altogether. */
export interface Costs {
  /** Steps of every run, in order. */
  readonly steps: readonly StepCost[]
  /** Operations, the dearest first. */
  readonly ops: readonly OpCost[]
  /** Seconds of a run on the device's thread. */
  readonly run: Quartiles
  /** Seconds of all steps of a run. */
  readonly kernels: number
  /** Layers that are reordered in every run, because two kernels want different layouts. */
  readonly reorders: number
  /** Steps that are done only when the weights have changed, and their bytes in the arena. */
  readonly constants: { readonly steps: number; readonly bytes: number }
  readonly arenaBytes: number
}

/** Sums a profile up. */
export function costs({ steps, seconds, arena, arenaBytes }: Profile): Costs {
  const live = steps.map((_, line) =>
    totalBytes(arena.filter(({ first, last }) => first <= line && line <= last)),
  )
  const timed = steps.map((step) => median(step.seconds))
  const runs = steps.flatMap((step, line) => (isConstant(step) ? [] : [line]))
  const kernels = runs.reduce((sum, line) => sum + timed[line]!, 0)
  const costs = runs.map((line) => stepCost(steps[line]!, timed[line]!, kernels, live[line]!))
  const derived = steps.length - runs.length
  return {
    steps: costs,
    ops: byOp(costs),
    run: quartiles(seconds),
    kernels,
    reorders: costs.filter(({ op }) => op === 'reorder').length,
    constants: {
      steps: derived,
      // They stay from before the first step to behind the last.
      bytes: totalBytes(
        arena.filter(({ first, last }) => derived > 0 && first === 0 && last >= steps.length),
      ),
    },
    arenaBytes,
  }
}

function totalBytes(blocks: readonly ArenaBlock[]): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes, 0)
}

function isConstant({ phase }: ProfiledStep): boolean {
  return phase === 'constants'
}

function stepCost(step: ProfiledStep, seconds: number, total: number, live: number): StepCost {
  const { phase, path, op, implementation, inputs, outputs, flops, moved } = step
  const layout = [inputs[0] ?? '', outputs[0] ?? ''] as const
  return {
    phase,
    path,
    op,
    kernel: implementation,
    layout,
    seconds,
    share: seconds / total,
    flops,
    moved,
    live,
  }
}

function byOp(steps: readonly StepCost[]): OpCost[] {
  const ops = new Map<string, OpCost>()
  for (const { op, seconds, share, flops, moved } of steps) {
    const sum = ops.get(op) ?? { op, count: 0, seconds: 0, share: 0, flops: 0, moved: 0 }
    ops.set(op, {
      op,
      count: sum.count + 1,
      seconds: sum.seconds + seconds,
      share: sum.share + share,
      flops: sum.flops + flops,
      moved: sum.moved + moved,
    })
  }
  return [...ops.values()].sort((a, b) => b.seconds - a.seconds)
}
