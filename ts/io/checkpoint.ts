import { malformed } from './checkpoint-error.js'
import { renamed, type CheckpointTensor } from './checkpoint-tensor.js'
import { readPytorchLegacy } from './pytorch-legacy.js'
import { readPytorchTar } from './pytorch-tar.js'
import { readPytorchZip } from './pytorch-zip.js'
import { RandomAccessFile } from './random-access.js'
import { looksLikeSafetensors, readSafetensors } from './safetensors.js'

export type { CheckpointDType } from './checkpoint-dtype.js'
export type { CheckpointTensor } from './checkpoint-tensor.js'

/** The containers that are read: those of PyTorch from 1.6, before 0.1.10 and between, safetensors, TensorFlow.js. */
export type CheckpointFormat = 'pytorch-zip' | 'pytorch-tar' | 'pytorch-legacy' | 'safetensors' | 'tfjs'

/** An open checkpoint file. Its tensors can be read until it is closed. */
export interface Checkpoint extends AsyncDisposable {
  readonly format: CheckpointFormat
  readonly path: string
  /** The tensors by state-dict name, in the order of the file; a `module.` before every name is left out. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>
  /** The texts a safetensors file carries beside its tensors; empty for other formats. */
  readonly metadata: ReadonlyMap<string, string>
  close(): Promise<void>
}

/**
 * Opens a checkpoint file, whose format is told by its content. Only headers are read; each tensor is read from
 * the file when it is asked for. Nothing in a file is executed.
 *
 * @throws CheckpointError when the file is missing, damaged or of an unknown format, or `CHECKPOINT_UNSAFE` when
 * it holds pickled code or objects other than tensors and plain containers.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const file = await RandomAccessFile.open(path)
  try {
    const format = await sniff(file)
    const { tensors, metadata } = await readHeaders(file, format)
    const close = (): Promise<void> => file.close()
    return { format, path, tensors: withoutModule(tensors), metadata, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await file.close()
    throw error
  }
}

const TAR_MAGIC = 'ustar'
const TAR_MAGIC_OFFSET = 257
const HEAD_BYTES = 512

async function sniff(file: RandomAccessFile): Promise<CheckpointFormat> {
  if (file.size === 0) throw malformed(file.path, 'empty file')
  const head = await file.read(0, Math.min(file.size, HEAD_BYTES), 'its start')
  // First: its length may begin with any bytes, those that mark the others included; their ninth byte is no brace.
  if (looksLikeSafetensors(head)) return 'safetensors'
  if (head.toString('latin1', 0, 4) === 'PK\x03\x04') return 'pytorch-zip'
  if (head.toString('latin1', TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + TAR_MAGIC.length) === TAR_MAGIC)
    return 'pytorch-tar'
  if (head[0] === 0x80) return 'pytorch-legacy'
  throw malformed(file.path, 'unknown format', {
    expected: 'a PyTorch file (zip, stream or tar) or safetensors',
    got: `${file.size} bytes that start with ${head.toString('hex', 0, 8)}`,
  })
}

async function readHeaders(
  file: RandomAccessFile,
  format: CheckpointFormat,
): Promise<Pick<Checkpoint, 'tensors' | 'metadata'>> {
  if (format === 'safetensors') return readSafetensors(file)
  const metadata = new Map<string, string>()
  if (format === 'pytorch-zip') return { tensors: await readPytorchZip(file), metadata }
  if (format === 'pytorch-tar') return { tensors: await readPytorchTar(file), metadata }
  return { tensors: await readPytorchLegacy(file), metadata }
}

const MODULE = 'module.'

/** Data-parallel training puts the whole network behind `module.`. */
function withoutModule(
  tensors: ReadonlyMap<string, CheckpointTensor>,
): ReadonlyMap<string, CheckpointTensor> {
  if (![...tensors.keys()].every((name) => name.startsWith(MODULE))) return tensors
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const short = name.slice(MODULE.length)
      return [short, renamed(tensor, short)]
    }),
  )
}
