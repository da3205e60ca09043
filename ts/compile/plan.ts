import type { ValueDType } from '../graph/graph.js'
import type { OpName } from '../graph/schema.js'
import type { Shape } from '../tensor.js'

/** A flat program over numbered buffers: what crosses to a device's backend. Its twin is `native/plan.h`. */
export interface Plan {
  readonly buffers: readonly { readonly dtype: ValueDType; readonly shape: Shape }[]
  readonly instructions: readonly Instruction[]
  /** Ranges of instructions that run whole. `constants` depends on parameters alone. */
  readonly phases: readonly { readonly name: PhaseName; readonly begin: number; readonly end: number }[]
  readonly inputs: readonly Binding[]
  readonly outputs: readonly Binding[]
  readonly parameters: readonly (Binding & { readonly updated: boolean })[]
}

export type PhaseName = 'constants' | 'forward' | 'backward' | 'update'

export interface Instruction {
  readonly op: OpName
  /** Buffer numbers; -1 where an optional operand is absent. */
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly path: string
}

export interface Binding {
  readonly name: string
  readonly buffer: number
}
