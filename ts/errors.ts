/** Stable, machine-readable reason of a {@link FoveaError}. */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'SHAPE_MISMATCH'
  | 'UNSUPPORTED'
  | 'OUT_OF_MEMORY'
  | 'DEVICE_UNAVAILABLE'
  | 'CUDA_UNAVAILABLE'
  | 'DISPOSED'
  | 'BUSY'
  | 'ABORTED'
  | 'CHECKPOINT_FORMAT'
  | 'CHECKPOINT_UNSAFE'
  | 'CHECKPOINT_MISMATCH'
  | 'RESUME_MISMATCH'
  | 'WRITE'
  | 'IMAGE'
  | 'DATASET'
  | 'DIVERGED'
  | 'DOWNLOAD'
  | 'CACHE'
  | 'BACKEND'

/** What a {@link FoveaError} knows beside its message. */
export interface ErrorDetails {
  /** The thing that is wrong: a file, a parameter, an operation, an option. */
  readonly subject?: string
  readonly expected?: string
  readonly got?: string
  readonly cause?: unknown
}

/** Base of every error that fovea throws on purpose. The message names the thing, what was expected and what was got. */
export class FoveaError extends Error {
  readonly code: ErrorCode
  readonly subject: string | undefined
  readonly expected: string | undefined
  readonly got: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.code = code
    this.subject = details.subject
    this.expected = details.expected
    this.got = details.got
  }
}

/** An argument or option has a wrong value (`INVALID_ARGUMENT`). */
export class InvalidArgumentError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('INVALID_ARGUMENT', message, details)
  }
}

/** Shapes do not fit together (`SHAPE_MISMATCH`). */
export class ShapeError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('SHAPE_MISMATCH', message, details)
  }
}

/** Valid input that fovea does not implement, such as an unknown layer of a topology (`UNSUPPORTED`). */
export class UnsupportedError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('UNSUPPORTED', message, details)
  }
}

/** A device could not allocate; the message holds the bytes asked for (`OUT_OF_MEMORY`). */
export class OutOfMemoryError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('OUT_OF_MEMORY', message, details)
  }
}

/** No device of the asked name can be opened (`DEVICE_UNAVAILABLE`). */
export class DeviceUnavailable extends FoveaError {
  constructor(message: string, details?: ErrorDetails, code: ErrorCode = 'DEVICE_UNAVAILABLE') {
    super(code, message, details)
  }
}

/** Why CUDA cannot be used. */
export type CudaUnavailableReason =
  | 'no-driver'
  | 'driver-too-old'
  /** The driver is there and does not start. */
  | 'driver-failed'
  | 'library-missing'
  /** cuDNN's libraries are not all of one folder or of one version. */
  | 'mixed-folders'
  /** cuDNN or CUDA was found in an unsupported version, or in versions that do not go together. */
  | 'wrong-version'
  | 'no-device'
  /** A GPU has no memory left to start with. */
  | 'out-of-memory'

/** What a {@link CudaUnavailable} knows beside its message. */
export interface CudaUnavailableDetails extends ErrorDetails {
  readonly reason: CudaUnavailableReason
  /** Folders and names that were searched, in order. */
  readonly searched?: readonly string[]
}

/** CUDA, cuDNN or a usable GPU is missing; the message says what was searched, found and needed (`CUDA_UNAVAILABLE`). */
export class CudaUnavailable extends DeviceUnavailable {
  readonly reason: CudaUnavailableReason
  readonly searched: readonly string[]

  constructor(message: string, details: CudaUnavailableDetails) {
    super(message, details, 'CUDA_UNAVAILABLE')
    this.reason = details.reason
    this.searched = details.searched ?? []
  }
}

/** A disposed device, program or store was used (`DISPOSED`). */
export class DisposedError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('DISPOSED', message, details)
  }
}

/** A call came out of order, such as a second `forward` before `backward` (`BUSY`). */
export class BusyError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('BUSY', message, details)
  }
}

/** Work was taken back through an `AbortSignal` or because its device was closed (`ABORTED`). */
export class AbortError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('ABORTED', message, details)
    this.name = 'AbortError'
  }
}

/**
 * A checkpoint file is missing, damaged, unsafe, does not fit the network, or holds a training that cannot go on with
 * other options (`RESUME_MISMATCH`).
 */
export class CheckpointError extends FoveaError {
  declare readonly code: 'CHECKPOINT_FORMAT' | 'CHECKPOINT_UNSAFE' | 'CHECKPOINT_MISMATCH' | 'RESUME_MISMATCH'
}

/** A file cannot be written: the disk is full, a right or a folder is missing (`WRITE`). */
export class WriteError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('WRITE', message, details)
  }
}

/** An image is missing, damaged or of an unsupported kind (`IMAGE`). */
export class ImageError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('IMAGE', message, details)
  }
}

/** A data set is missing, incomplete or damaged (`DATASET`). */
export class DatasetError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('DATASET', message, details)
  }
}

/** A file could not be fetched, verified or cached; the message says where to put it by hand. */
export class DownloadError extends FoveaError {
  constructor(message: string, details?: ErrorDetails, code: 'DOWNLOAD' | 'CACHE' = 'DOWNLOAD') {
    super(code, message, details)
  }
}

/** The compute library refused an operation (`BACKEND`). */
export class BackendError extends FoveaError {
  constructor(message: string, details?: ErrorDetails) {
    super('BACKEND', message, details)
  }
}

/** Where a training stopped to make sense. */
export interface DivergedDetails extends ErrorDetails {
  /** From 1. */
  readonly epoch: number
  /** Within the epoch, from 1. */
  readonly step: number
  readonly lr: number
  /** The layer in which a number first was not finite, where it could be found. */
  readonly layer: string | null
}

/** A training's loss, or its gradients time and again, were not finite (`DIVERGED`). */
export class DivergedError extends FoveaError {
  readonly epoch: number
  readonly step: number
  readonly lr: number
  readonly layer: string | null

  constructor(message: string, details: DivergedDetails) {
    super('DIVERGED', message, details)
    this.epoch = details.epoch
    this.step = details.step
    this.lr = details.lr
    this.layer = details.layer
  }
}
