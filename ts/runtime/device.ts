import type { Plan } from '../compile/plan.js'
import { CudaUnavailable, InvalidArgumentError } from '../errors.js'
import { loadAddon, native, nativeAsync, type NativeDevice } from './native.js'
import { Program } from './program.js'
import { Store } from './store.js'
import { TuningCache, type KernelChoices } from './tuning-cache.js'

/** `'auto'` picks the best device of this machine; `'cuda:1'` is the second GPU. */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`

export interface DeviceOptions {
  /** Threads of a CPU device. Default: one a core. */
  readonly threads?: number
  /**
   * How the fastest of several kernels for an operation is found when a program is compiled: `'fast'` times each a
   * few times, `'full'` many times, `'off'` takes the library's first choice. What was measured is kept in the cache
   * folder. Results differ in their last digits between kernels. Default: `'fast'`.
   */
  readonly tuning?: 'off' | 'fast' | 'full'
}

/** A place where programs run. All its work goes through one queue, off the event loop. */
export class Device {
  /** What was opened and why, for people. */
  readonly description: string

  private constructor(
    /** What kind of device it is. */
    readonly kind: 'cpu' | 'cuda' | 'null',
    description: string,
    private readonly handle: NativeDevice,
    private readonly tuningCache: TuningCache | null,
  ) {
    this.description = description
  }

  /**
   * Opens a device.
   *
   * @throws CudaUnavailable when `'cuda'` was asked for and cannot be had; it never falls back to the CPU
   * @throws InvalidArgumentError for an unknown name or thread count
   */
  static async open(name: DeviceName = 'auto', options: DeviceOptions = {}): Promise<Device> {
    const { threads, tuning = 'fast' } = options
    if (threads !== undefined && (!Number.isInteger(threads) || threads < 1))
      throw new InvalidArgumentError(`threads must be a positive integer, got ${threads}`, {
        subject: 'threads',
      })
    if (/^cuda(:\d+)?$/.test(name))
      throw new CudaUnavailable(
        `device '${name}': this build of fovea has no CUDA backend; open 'cpu' or 'auto'`,
        {
          subject: name,
        },
      )
    if (name !== 'auto' && name !== 'cpu')
      throw new InvalidArgumentError(`unknown device '${name}': expected 'auto', 'cpu', 'cuda' or 'cuda:N'`, {
        subject: 'device',
        expected: 'auto, cpu, cuda, cuda:N',
        got: name,
      })
    const device = openNative('cpu', options)
    const { description } = device
    const cache = tuning === 'off' ? null : new TuningCache(`${description}, tuning ${tuning}`)
    if (cache) device.useTuned(await cache.load())
    const reason = name === 'auto' ? ' (chosen: no CUDA backend in this build)' : ''
    return new Device('cpu', description + reason, device, cache)
  }

  /** Opens the backend that prepares every plan and computes nothing: it shows what the core asks of a backend. */
  static openNull(): Device {
    const device = openNative('null', {})
    return new Device('null', device.description, device, null)
  }

  /** Bytes that programs and stores hold now, and the most that they held. */
  memory(): { readonly live: number; readonly peak: number } {
    return native(() => this.handle.memory())
  }

  /** A new, empty store of named tensors. */
  createStore(): Store {
    return new Store(native(() => this.handle.createStore()))
  }

  /**
   * Chooses kernels for a plan and places its memory.
   * @throws OutOfMemoryError with the bytes asked for
   */
  async compile(plan: Plan, store: Store, signal?: AbortSignal): Promise<Program> {
    const program = await nativeAsync((token) => this.handle.compile(plan, store.handle, token), signal)
    await this.tuningCache?.save(this.kernelChoices())
    return new Program(program, plan, store)
  }

  /** Which kernels were chosen among several for the programs compiled so far, by the problem that each solves. */
  kernelChoices(): KernelChoices {
    return native(() => this.handle.tuned())
  }

  /** Makes programs that are compiled from now on use these kernels, unmeasured, where there is a choice. */
  useKernels(choices: KernelChoices): void {
    native(() => this.handle.useTuned(choices))
  }

  /** Takes back queued work and refuses new work. Programs and stores stay until they are disposed. */
  close(): void {
    this.handle.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function openNative(name: string, options: DeviceOptions): NativeDevice {
  return native(() => loadAddon().openDevice(name, options))
}
