import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { Plan } from '../compile/plan.js'
import {
  AbortError,
  BackendError,
  BusyError,
  CheckpointError,
  CudaUnavailable,
  DeviceUnavailable,
  DisposedError,
  FoveaError,
  InvalidArgumentError,
  OutOfMemoryError,
  ShapeError,
  UnsupportedError,
  type ErrorDetails,
} from '../errors.js'
import type { ValueDType } from '../graph/graph.js'
import type { AttributeKind } from '../graph/schema.js'
import type { Shape, TypedArrays, DType } from '../tensor.js'
import type { CudaFolder } from './cuda-folders.js'

type HostArray = TypedArrays[DType]

/** What the addon exports. */
export interface Addon {
  openDevice(name: string, options: NativeDeviceOptions): NativeDevice
  openCudaDevice(name: string, options: NativeDeviceOptions): Promise<NativeDevice>
  inspectCuda(options: NativeInspectionOptions): Promise<NativeInspection>
  schema(): Record<string, Record<string, AttributeKind>>
  /** Takes back all work of this environment and waits for what runs. */
  shutdown(): void
  readonly CancelToken: new () => NativeCancelToken
}

export interface NativeDeviceOptions {
  readonly threads?: number
  readonly tuning?: 'off' | 'fast' | 'full'
  readonly cudaFolders?: readonly CudaFolder[]
  readonly allowTf32?: boolean
  readonly deterministic?: boolean
  readonly workspaceLimit?: number
}

export interface NativeInspectionOptions {
  readonly cudaFolders: readonly CudaFolder[]
  /** Whether to look for cuDNN and CUDA beside the driver. */
  readonly libraries: boolean
  /** Whether to ask each GPU for its free memory, for which it is started. */
  readonly freeMemory: boolean
}

/** What there is of CUDA on this machine. */
export interface NativeInspection {
  readonly driver?: { readonly version: string; readonly path: string }
  readonly gpus: readonly {
    readonly index: number
    readonly name: string
    readonly totalBytes: number
    readonly freeBytes?: number
    /** Why the GPU does not tell its free memory. */
    readonly problem?: string
    readonly computeCapability: string
    readonly processors: number
  }[]
  readonly libraries?: {
    readonly versions: Readonly<Record<'cudnn' | 'runtime' | 'nvrtc', string>>
    readonly files: Readonly<Record<string, string>>
  }
  /** What opening a device would throw, untyped. */
  readonly driverProblem?: unknown
  readonly librariesProblem?: unknown
}

export interface NativeCancelToken {
  cancel(): void
}

export interface NativeDevice {
  readonly description: string
  memory(): { live: number; peak: number }
  /** Kernels found fastest, by problem; those named by `useTuned` are taken unmeasured. */
  tuned(): Record<string, string>
  useTuned(choices: Readonly<Record<string, string>>): void
  createStore(): NativeStore
  compile(plan: Plan, store: NativeStore, token?: NativeCancelToken): Promise<NativeProgram>
  close(): void
}

export interface NativeStore {
  define(name: string, dtype: ValueDType, shape: Shape, data: HostArray): void
  /** Float32 tensors that are read from their places in an open file whenever they are needed. */
  defineFromFile(descriptor: number, path: string, tensors: readonly TensorInFile[]): void
  write(name: string, data: HostArray): Promise<void>
  read(name: string): Promise<ArrayBuffer>
  dispose(): void
}

/** A tensor whose little-endian elements lie row-major in a file, from so many bytes on. */
export interface TensorInFile {
  readonly name: string
  readonly shape: Shape
  readonly position: number
}

export interface NativeProgram {
  readonly arenaBytes: number
  run(
    phases: readonly string[],
    inputs: Readonly<Record<string, HostArray>>,
    outputs: readonly string[],
    token?: NativeCancelToken,
  ): Promise<Record<string, ArrayBuffer>>
  profile(
    phases: readonly string[],
    inputs: Readonly<Record<string, HostArray>>,
    caches: 'as they are' | 'warm' | 'cold',
    token?: NativeCancelToken,
  ): Promise<{ steps: Float64Array; total: number }>
  describe(): ScheduleEntry[]
  arena(): ArenaBlock[]
  dispose(): void
}

/** One instruction, or reorder between layouts, as a backend realised it. */
export interface ScheduleEntry {
  readonly phase: string
  readonly op: string
  /** The layer that it comes from. */
  readonly path: string
  /** The library's name of the kernel, such as `jit:avx512_core`. */
  readonly implementation: string
  /** Layouts of the operands, such as `nChw16c`; empty where absent. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Bytes of the outputs, and of the workspace. */
  readonly bytes: number
  readonly scratchBytes: number
  readonly inPlace: boolean
  /** Number in the plan; -1 for a reorder. */
  readonly instruction: number
}

/** A block of a program's memory, and the first and last line of its schedule that it is alive for. */
export interface ArenaBlock {
  readonly offset: number
  readonly bytes: number
  readonly first: number
  readonly last: number
}

let addon: Addon | null = null

/** The native addon, loaded at the first call. */
export function loadAddon(): Addon {
  if (addon) return addon
  const require = createRequire(import.meta.url)
  const root = dirname(require.resolve('fovea/package.json'))
  const load = require('node-gyp-build') as (folder: string) => Addon
  try {
    addon = load(root)
  } catch (cause) {
    throw new DeviceUnavailable(
      `fovea's native addon could not be loaded on ${process.platform}-${process.arch}: ${(cause as Error).message}. ` +
        'In a clone of the repository, "npm run setup" builds it.',
      { subject: 'addon', cause },
    )
  }
  process.once('exit', () => addon?.shutdown())
  return addon
}

const ERROR_CLASSES: Readonly<Record<string, new (message: string, details: ErrorDetails) => FoveaError>> = {
  INVALID_ARGUMENT: InvalidArgumentError,
  SHAPE_MISMATCH: ShapeError,
  UNSUPPORTED: UnsupportedError,
  OUT_OF_MEMORY: OutOfMemoryError,
  DEVICE_UNAVAILABLE: DeviceUnavailable,
  DISPOSED: DisposedError,
  BUSY: BusyError,
  ABORTED: AbortError,
  BACKEND: BackendError,
}

/** Turns what the addon threw into the class that its code names. */
export function typedError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown instanceof FoveaError) return thrown
  const { code, subject, expected, got, reason, searched } = thrown as Error &
    Record<'code' | 'subject' | 'expected' | 'got', string> &
    Pick<CudaUnavailable, 'reason' | 'searched'>
  if (code === 'CUDA_UNAVAILABLE')
    return new CudaUnavailable(thrown.message, { subject, expected, got, reason, searched, cause: thrown })
  if (code === 'CHECKPOINT_FORMAT')
    return new CheckpointError(code, thrown.message, { subject, expected, got, cause: thrown })
  const Class = ERROR_CLASSES[code]
  return Class ? new Class(thrown.message, { subject, expected, got, cause: thrown }) : thrown
}

/** Calls into the addon, with its errors typed. */
export function native<T>(call: () => T): T {
  try {
    return call()
  } catch (thrown) {
    throw typedError(thrown)
  }
}

/** Awaits the addon, with its errors typed; an abort signal takes the work back. */
export async function nativeAsync<T>(
  call: (token?: NativeCancelToken) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  if (signal?.aborted) throw aborted(signal)
  const token = signal && new (loadAddon().CancelToken)()
  const onAbort = () => token?.cancel()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await call(token)
  } catch (thrown) {
    throw signal?.aborted ? aborted(signal) : typedError(thrown)
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

function aborted(signal: AbortSignal): AbortError {
  return new AbortError('the operation was aborted', { cause: signal.reason })
}
