import { CudaUnavailable } from '../errors.js'
import { cudaFolders, namedFolders } from './cuda-folders.js'
import { loadAddon, nativeAsync, typedError, type NativeDevice, type NativeDeviceOptions } from './native.js'

/** A GPU that the driver shows. */
export interface Gpu {
  readonly index: number
  readonly name: string
  readonly totalBytes: number
  /** Null where the GPU was not asked or refuses to tell. */
  readonly freeBytes: number | null
  /** Why it refuses. */
  readonly problem: string | null
  /** `9.0` */
  readonly computeCapability: string
  /** Streaming multiprocessors. */
  readonly processors: number
}

/** What there is of CUDA on this machine, and why not more. */
export interface CudaInspection {
  /** Its version is of CUDA, the newest that it runs. */
  readonly driver: { readonly version: string; readonly path: string } | null
  readonly driverProblem: CudaUnavailable | null
  readonly gpus: readonly Gpu[]
  readonly libraries: {
    readonly versions: Readonly<Record<'cudnn' | 'runtime' | 'nvrtc', string>>
    /** Where each was found. */
    readonly files: Readonly<Record<string, string>>
  } | null
  readonly librariesProblem: CudaUnavailable | null
}

/** How much to look at. */
export interface InspectionOptions {
  /** In place of `FOVEA_CUDA_PATH`. */
  readonly cudaPath?: string | undefined
  /** Whether to look for cuDNN and CUDA, too, and not only for the driver. */
  readonly libraries: boolean
  /** Whether to ask each GPU for its free memory, for which it is started. */
  readonly freeMemory: boolean
}

/** Looks what there is of CUDA. What is missing is no error but part of the answer. */
export async function inspectCuda(options: InspectionOptions): Promise<CudaInspection> {
  const { cudaPath, libraries, freeMemory } = options
  // The driver alone is looked for in few places.
  const folders = libraries ? await cudaFolders(cudaPath) : (namedFolders(cudaPath) ?? [])
  const found = await nativeAsync(() =>
    loadAddon().inspectCuda({ cudaFolders: folders, libraries, freeMemory }),
  )
  return {
    driver: found.driver ?? null,
    driverProblem: problem(found.driverProblem),
    gpus: found.gpus.map(({ freeBytes = null, problem = null, ...gpu }) => ({ ...gpu, freeBytes, problem })),
    libraries: found.libraries ?? null,
    librariesProblem: problem(found.librariesProblem),
  }
}

/** Starts a GPU, with the libraries that are found for it. */
export async function openGpu(
  index: number,
  {
    cudaPath,
    ...options
  }: Omit<NativeDeviceOptions, 'cudaFolders'> & { readonly cudaPath?: string | undefined },
): Promise<NativeDevice> {
  const folders = await cudaFolders(cudaPath)
  return nativeAsync(() => loadAddon().openCudaDevice(`cuda:${index}`, { ...options, cudaFolders: folders }))
}

function problem(thrown: unknown): CudaUnavailable | null {
  if (thrown === undefined) return null
  const error = typedError(thrown)
  if (error instanceof CudaUnavailable) return error
  throw error
}
