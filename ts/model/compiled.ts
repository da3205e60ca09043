import type { ScheduleEntry } from '../runtime/native.js'
import type { Program } from '../runtime/program.js'

/** What every program of a model can tell of itself, and how it ends. */
export abstract class CompiledProgram {
  /** @internal */
  constructor(protected readonly program: Program) {}

  /** The realised schedule: kernels, layouts, reorders and bytes. */
  describe(): readonly ScheduleEntry[] {
    return this.program.describe()
  }

  /** Bytes of device memory beside the weights and what an optimizer keeps with them. */
  get arenaBytes(): number {
    return this.program.arenaBytes
  }

  /** Frees the device memory when the work in flight is done. */
  dispose(): void {
    this.program.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
