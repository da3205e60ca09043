import type { ScheduleEntry } from '../runtime/native.js'
import type { Profile, ProfileOptions } from '../runtime/profile.js'
import type { Program } from '../runtime/program.js'

/** What every program of a model can tell of itself, and how it ends. */
export abstract class CompiledProgram {
  /** @internal */
  constructor(protected readonly program: Program) {}

  /** The realised schedule: kernels, layouts, reorders and bytes. */
  describe(): readonly ScheduleEntry[] {
    return this.program.describe()
  }

  /**
   * Runs the whole program some times on made-up inputs, step by step, and takes the time of every step. Weights
   * stay as they are; running statistics of batch norm and the state of an optimizer do not.
   *
   * @throws AbortError when `options.signal` fires first
   */
  profile(options: ProfileOptions = {}): Promise<Profile> {
    return this.program.profile(options)
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
