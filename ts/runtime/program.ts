import type { PhaseName, Plan } from '../compile/plan.js'
import { InvalidArgumentError } from '../errors.js'
import { Tensor, type DType, type TypedArrays } from '../tensor.js'
import { nativeAsync, native, type NativeProgram, type ScheduleEntry } from './native.js'
import { costOf, runPhases, sampleInputs, type Profile, type ProfileOptions } from './profile.js'
import type { Store } from './store.js'

/** A compiled plan on a device. */
export class Program {
  constructor(
    private readonly handle: NativeProgram,
    private readonly plan: Plan,
    /** Keeps the store alive while this program needs it. */
    readonly store: Store,
  ) {}

  /** Bytes of device memory for everything but the store. */
  get arenaBytes(): number {
    return this.handle.arenaBytes
  }

  /**
   * Runs phases in one native call. Inputs are copied now, outputs are copies.
   *
   * @throws ShapeError when an input has not the size of the plan's
   * @throws AbortError when `signal` fires first
   */
  async run(
    phases: readonly PhaseName[],
    inputs: Readonly<Record<string, TypedArrays[DType]>>,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const buffers = await nativeAsync((token) => this.handle.run(phases, inputs, outputs, token), signal)
    return Object.fromEntries(
      Object.entries(buffers).map(([name, buffer]) => [
        name,
        new Tensor(this.shape(name), new Float32Array(buffer), 'f32'),
      ]),
    )
  }

  /** The realised schedule: kernels, layouts, reorders and bytes. */
  describe(): readonly ScheduleEntry[] {
    return native(() => this.handle.describe())
  }

  /**
   * Runs all phases step by step, on inputs made up for it, and takes the time of every step. Weights stay as they
   * are; running statistics of batch norm and the state of an optimizer do not.
   *
   * @throws InvalidArgumentError when `runs` is no positive integer
   * @throws AbortError when `signal` fires first
   */
  async profile({ runs = 10, caches = 'as they are', signal }: ProfileOptions = {}): Promise<Profile> {
    if (!Number.isInteger(runs) || runs < 1)
      throw new InvalidArgumentError(`runs must be a positive integer, got ${runs}`, { subject: 'runs' })
    const phases = runPhases(this.plan)
    const inputs = sampleInputs(this.plan)
    const run = async () => {
      const start = performance.now()
      const times = await nativeAsync((token) => this.handle.profile(phases, inputs, caches, token), signal)
      return { ...times, wall: (performance.now() - start) / 1000 }
    }
    // Touches the memory, and derives the constants.
    const first = await run()
    const times: Awaited<ReturnType<typeof run>>[] = []
    for (let i = 0; i < runs; i++) times.push(await run())
    const secondsOf = (line: number) => {
      const again = times.map(({ steps }) => steps[line]!)
      return (again.some(Number.isNaN) ? [first.steps[line]!] : again).filter((s) => !Number.isNaN(s))
    }
    const steps = this.describe().map((entry, line) => ({
      ...entry,
      ...costOf(entry, this.plan),
      seconds: secondsOf(line),
    }))
    const { arenaBytes } = this
    const arena = native(() => this.handle.arena())
    return {
      steps,
      seconds: times.map(({ total }) => total),
      wall: times.map(({ wall }) => wall),
      arena,
      arenaBytes,
    }
  }

  /** Frees the device memory when the work in flight is done. */
  dispose(): void {
    this.handle.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  private shape(output: string) {
    const { buffer } = this.plan.outputs.find(({ name }) => name === output)!
    return this.plan.buffers[buffer]!.shape
  }
}
