import { cpus, freemem, totalmem } from 'node:os'
import type { Plan } from '../compile/plan.js'
import { CudaUnavailable, InvalidArgumentError } from '../errors.js'
import { inspectCuda, openGpu, type CudaInspection, type Gpu } from './cuda.js'
import { loadAddon, native, nativeAsync, type NativeDevice } from './native.js'
import { Program } from './program.js'
import { Store } from './store.js'
import { TuningCache, type KernelChoices } from './tuning-cache.js'

/** `'auto'` picks the best device of this machine; `'cuda'` is the first GPU, `'cuda:1'` the second. */
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
  /**
   * Where NVIDIA's libraries are searched, and nowhere else: a folder, or several with `:` between them. Default:
   * `FOVEA_CUDA_PATH`, or else the places where they usually are.
   */
  readonly cudaPath?: string
  /** Of a GPU: whether f32 convolutions and products may round their operands to 10 bits, which is faster. Default: no. */
  readonly allowTf32?: boolean
  /** Of a GPU: whether to take only kernels that repeat bit for bit. Default: no. */
  readonly deterministic?: boolean
  /** Of a GPU: the most bytes of scratch memory that one kernel may ask for. Default: 1 GiB. */
  readonly workspaceLimit?: number
}

/** A device of this machine, as {@link Device.list} tells of it. */
export interface DeviceInfo {
  /** What {@link Device.open} takes. */
  readonly name: 'cpu' | `cuda:${number}`
  readonly kind: 'cpu' | 'cuda'
  /** The processor or GPU. */
  readonly model: string
  readonly memory: {
    readonly total: number
    /** Null for a GPU that does not tell. */
    readonly free: number | null
  }
  /** Of a GPU, such as `'9.0'`. */
  readonly computeCapability: string | null
  /** Versions of the libraries that it computes with. */
  readonly libraries: Readonly<Record<string, string>>
  /** Why it cannot be opened; null where nothing is known against it. */
  readonly problem: CudaUnavailable | null
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
   * Opens a device. `'auto'` is the GPU with the most free memory, or the CPU where no GPU can be used.
   *
   * @throws CudaUnavailable when `'cuda'` was asked for and cannot be had; it never falls back to the CPU
   * @throws InvalidArgumentError for an unknown name or thread count
   */
  static async open(name: DeviceName = 'auto', options: DeviceOptions = {}): Promise<Device> {
    const { threads } = options
    if (threads !== undefined && (!Number.isInteger(threads) || threads < 1))
      throw new InvalidArgumentError(`threads must be a positive integer, got ${threads}`, {
        subject: 'threads',
      })
    if (name === 'auto') return Device.openBest(options)
    if (name === 'cpu') return Device.openCpu(options)
    const index = gpuIndex(name)
    if (index === null)
      throw new InvalidArgumentError(`unknown device '${name}': expected 'auto', 'cpu', 'cuda' or 'cuda:N'`, {
        subject: 'device',
        expected: 'auto, cpu, cuda, cuda:N',
        got: name,
      })
    return Device.openCuda(index, options)
  }

  /** The CPU and all GPUs that the NVIDIA driver shows, also those that cannot be opened. */
  static async list({ cudaPath }: Pick<DeviceOptions, 'cudaPath'> = {}): Promise<readonly DeviceInfo[]> {
    const cuda = await inspectCuda({ cudaPath, libraries: false, freeMemory: true })
    if (cuda.gpus.length === 0) return [cpuInfo()]
    const found = await inspectCuda({ cudaPath, libraries: true, freeMemory: false })
    return [cpuInfo(), ...cuda.gpus.map((gpu) => gpuInfo(gpu, found))]
  }

  /** Opens the backend that prepares every plan and computes nothing: it shows what the core asks of a backend. */
  static openNull(): Device {
    const device = native(() => loadAddon().openDevice('null', {}))
    return new Device('null', device.description, device, null)
  }

  private static openCpu({ threads, tuning = 'fast' }: DeviceOptions, reason?: string): Promise<Device> {
    const options = { tuning, ...(threads === undefined ? {} : { threads }) }
    return Device.opened(
      'cpu',
      native(() => loadAddon().openDevice('cpu', options)),
      tuning,
      reason,
    )
  }

  private static async openCuda(index: number, options: DeviceOptions, reason?: string): Promise<Device> {
    const { tuning = 'fast' } = options
    return Device.opened('cuda', await openGpu(index, { ...options, tuning }), tuning, reason)
  }

  private static async opened(
    kind: 'cpu' | 'cuda',
    device: NativeDevice,
    tuning: NonNullable<DeviceOptions['tuning']>,
    reason?: string,
  ): Promise<Device> {
    const { description } = device
    const cache = tuning === 'off' ? null : new TuningCache(`${description}, tuning ${tuning}`)
    if (cache) device.useTuned(await cache.load())
    const because = reason === undefined ? '' : ` (chosen: ${reason})`
    return new Device(kind, description + because, device, cache)
  }

  private static async openBest(options: DeviceOptions): Promise<Device> {
    const { cudaPath } = options
    const seen = await inspectCuda({ cudaPath, libraries: false, freeMemory: false })
    if (seen.driverProblem) return Device.openCpu(options, brief(seen.driverProblem))
    const [first, ...others] = seen.gpus
    if (first === undefined) return Device.openCpu(options, 'the NVIDIA driver shows no GPU')
    // Asking for free memory starts every GPU: only where there is a choice.
    const best =
      others.length === 0
        ? first
        : mostFree((await inspectCuda({ cudaPath, libraries: false, freeMemory: true })).gpus)
    if (best === null) return Device.openCpu(options, 'no GPU tells its free memory')
    try {
      return await Device.openCuda(
        best.index,
        options,
        others.length === 0 ? 'the only GPU' : `the most free memory of ${seen.gpus.length} GPUs`,
      )
    } catch (error) {
      if (!(error instanceof CudaUnavailable)) throw error
      return Device.openCpu(options, `${best.name} cannot be used, ${brief(error)}`)
    }
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

/** Of `cuda` and `cuda:1`; null for other names. */
function gpuIndex(name: string): number | null {
  const match = /^cuda(?::(\d{1,4}))?$/.exec(name)
  return match ? Number(match[1] ?? 0) : null
}

/** An error's own sentence, without what was needed, found and searched. */
function brief({ message }: CudaUnavailable): string {
  return message.replace(/^CUDA cannot be used: /, '').replace(/\. Needed: .*$/s, '')
}

function mostFree(gpus: readonly Gpu[]): Gpu | null {
  return gpus
    .filter(({ freeBytes }) => freeBytes !== null)
    .reduce<Gpu | null>((best, gpu) => (best === null || gpu.freeBytes! > best.freeBytes! ? gpu : best), null)
}

function cpuInfo(): DeviceInfo {
  const device = native(() => loadAddon().openDevice('cpu', {}))
  const { description } = device
  device.close()
  const version = /^oneDNN (\d[\d.]*)/.exec(description)?.[1]
  return {
    name: 'cpu',
    kind: 'cpu',
    model: cpus()[0]?.model.trim() ?? description,
    memory: { total: totalmem(), free: freemem() },
    computeCapability: null,
    libraries: version === undefined ? {} : { oneDNN: version },
    problem: null,
  }
}

function gpuInfo(gpu: Gpu, { driver, libraries, librariesProblem }: CudaInspection): DeviceInfo {
  return {
    name: `cuda:${gpu.index}`,
    kind: 'cuda',
    model: gpu.name,
    memory: { total: gpu.totalBytes, free: gpu.freeBytes },
    computeCapability: gpu.computeCapability,
    libraries: {
      ...(driver ? { driver: driver.version } : {}),
      ...(libraries
        ? {
            CUDA: libraries.versions.runtime,
            cuDNN: libraries.versions.cudnn,
            NVRTC: libraries.versions.nvrtc,
          }
        : {}),
    },
    problem: librariesProblem,
  }
}
