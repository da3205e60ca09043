import type { PhaseName, Plan } from '../compile/plan.js'
import { elementCount, type DType, type Shape, type TypedArrays } from '../tensor.js'
import type { ArenaBlock, ScheduleEntry } from './native.js'
import { bytesOf, flopsOf, problemOf, type Problem } from './work.js'

export interface ProfileOptions {
  /** How many runs count, behind one that warms up. Default 10. */
  readonly runs?: number
  /**
   * What the processor's caches hold when a step begins: what the steps before it left there; its operands, since
   * it has just run once (results are wrong then); or none of them. Default `'as they are'`.
   */
  readonly caches?: 'as they are' | 'warm' | 'cold'
  readonly signal?: AbortSignal
}

/** A line of the schedule with what it costs. */
export interface ProfiledStep extends ScheduleEntry {
  /** What the plan asked for; null for a reorder. */
  readonly problem: Problem | null
  /**
   * One number a run. What depends on the weights alone runs once after they change: a single number, or none where
   * it had run before.
   */
  readonly seconds: readonly number[]
  /** As the direct algorithm counts them. */
  readonly flops: number
  /** Bytes read and written, every operand once. */
  readonly moved: number
}

/** What each step of a program costs. */
export interface Profile {
  readonly steps: readonly ProfiledStep[]
  /** Seconds of whole runs on the device's thread, copies of inputs included. */
  readonly seconds: readonly number[]
  /** Seconds from the call into the addon until its promise was resolved. */
  readonly wall: readonly number[]
  /** Every block of the arena and the steps that it is alive for. */
  readonly arena: readonly ArenaBlock[]
  readonly arenaBytes: number
}

/** The cost of the lines of a schedule, but for time. */
export function costOf(
  entry: ScheduleEntry,
  plan: Plan,
): Omit<ProfiledStep, keyof ScheduleEntry | 'seconds'> {
  const instruction = plan.instructions[entry.instruction]
  // A reorder reads as much as it writes.
  if (!instruction) return { problem: null, flops: 0, moved: 2 * entry.bytes }
  const problem = problemOf(instruction, plan)
  return { problem, flops: flopsOf(problem), moved: entry.inPlace ? movedInPlace(problem) : bytesOf(problem) }
}

/** Bytes of an operation that finds its first operand where its result shall be. */
function movedInPlace(problem: Problem): number {
  if (problem.op === 'reshape') return 0
  // What is appended is read and written.
  if (problem.op === 'concat')
    return 2 * bytesOf({ ...problem, inputs: problem.inputs.slice(1), outputs: [] })
  return bytesOf(problem)
}

/** Phases that are run, in order. */
export function runPhases(plan: Plan): PhaseName[] {
  return plan.phases.map(({ name }) => name).filter((name) => name !== 'constants')
}

/** Images that mean nothing, of values as normalised ones have. */
export function samplePixels(shape: Shape): Float32Array {
  return new Float32Array(elementCount(shape)).map((_, i) => 1.7 * Math.sin(i * i))
}

/** Inputs that take as long as real ones and, the learning rate among them being 0, leave the weights alone. */
export function sampleInputs({ inputs, buffers }: Plan): Record<string, TypedArrays[DType]> {
  return Object.fromEntries(
    inputs.map(({ name, buffer }): [string, TypedArrays[DType]] => {
      const { dtype, shape } = buffers[buffer]!
      const count = elementCount(shape)
      if (dtype === 'i32') return [name, new Int32Array(count)]
      if (dtype === 'u8') return [name, new Uint8Array(count).map((_, i) => 37 * i)]
      if (name === 'scalars') return [name, new Float32Array(count)]
      return [name, samplePixels(shape)]
    }),
  )
}
