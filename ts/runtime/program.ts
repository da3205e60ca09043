import type { PhaseName, Plan } from '../compile/plan.js'
import { Tensor, type DType, type TypedArrays } from '../tensor.js'
import { nativeAsync, native, type NativeProgram, type ScheduleEntry } from './native.js'
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
