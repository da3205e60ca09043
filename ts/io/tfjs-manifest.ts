import { UnsupportedError } from '../errors.js'
import { formatShape, type Shape } from '../tensor.js'
import { itemSize, type CheckpointDType } from './checkpoint-dtype.js'
import { malformed } from './checkpoint-error.js'
import { countElements, isCount } from './checkpoint-tensor.js'
import { excerpt, isJson } from './json.js'

/** One group of a weights manifest: files that, one behind the other, hold tensors one behind the other. */
export interface WeightGroup {
  readonly paths: readonly string[]
  readonly weights: readonly WeightEntry[]
}

/** One tensor of a weights manifest. */
export interface WeightEntry {
  readonly name: string
  readonly shape: Shape
  /** The element type in the file. */
  readonly dtype: CheckpointDType
  readonly bytes: number
  /** How stored integers become numbers: `stored * scale + min`; null when they are the numbers themselves. */
  readonly quantization: Quantization | null
}

export interface Quantization {
  readonly scale: number
  readonly min: number
  /** Whether the numbers are whole. */
  readonly round: boolean
}

const dtypes = new Map<unknown, CheckpointDType>([
  ['float32', 'f32'],
  ['float16', 'f16'],
  ['int32', 'i32'],
  ['uint16', 'u16'],
  ['uint8', 'u8'],
  ['bool', 'bool'],
])

const QUANTIZED: readonly unknown[] = ['uint8', 'uint16', 'float16']

/** @throws CheckpointError when the manifest is not as the format demands */
export function parseManifest(path: string, manifest: unknown): WeightGroup[] {
  if (!Array.isArray(manifest))
    throw malformed(path, 'weightsManifest is wrong', {
      expected: 'a list of groups',
      got: excerpt(manifest),
    })
  const names = new Set<string>()
  return manifest.map((group: unknown) => {
    const { paths, weights } = isJson(group) ? group : {}
    if (!Array.isArray(paths) || !Array.isArray(weights) || !paths.every(isPlainPath))
      throw malformed(path, 'a group of the weightsManifest is wrong', {
        expected: 'weights, and paths of files beside the model',
        got: excerpt({ paths, weights }),
      })
    const entries = weights.map((weight: unknown) => parseEntry(path, weight))
    for (const { name } of entries) {
      if (names.has(name)) throw malformed(path, `the weightsManifest has "${name}" twice`)
      names.add(name)
    }
    return { paths, weights: entries }
  })
}

/** A relative path that stays inside the model's folder. */
function isPlainPath(path: unknown): path is string {
  return typeof path === 'string' && path !== '' && !/^\/|\\|:|\0|(?:^|\/)\.\.(?:\/|$)/.test(path)
}

function parseEntry(path: string, weight: unknown): WeightEntry {
  const { name, shape, dtype, quantization } = isJson(weight) ? weight : {}
  if (typeof name !== 'string' || !Array.isArray(shape) || !shape.every(isCount))
    throw malformed(path, 'a tensor of the weightsManifest is wrong', {
      expected: 'a name and a shape',
      got: excerpt(weight),
    })
  const stored = quantization === undefined ? dtype : isJson(quantization) ? quantization.dtype : null
  const type = dtypes.get(stored)
  if (!type || (quantization !== undefined && !QUANTIZED.includes(stored)))
    throw new UnsupportedError(
      `${path}: tensor "${name}" is stored as ${excerpt(stored)}; expected one of ${[...dtypes.keys()].join(', ')}`,
      { subject: name, expected: [...dtypes.keys()].join(', '), got: excerpt(stored) },
    )
  return {
    name,
    shape,
    dtype: type,
    bytes: countElements(path, name, shape) * itemSize(type),
    quantization: type === 'f16' ? null : parseQuantization(path, name, shape, quantization, dtype),
  }
}

function parseQuantization(
  path: string,
  name: string,
  shape: Shape,
  quantization: unknown,
  dtype: unknown,
): Quantization | null {
  if (!isJson(quantization)) return null
  const { scale, min } = quantization
  if (typeof scale !== 'number' || typeof min !== 'number' || !Number.isFinite(scale * min))
    throw malformed(path, `the quantization of tensor "${name}" ${formatShape(shape)} is wrong`, {
      expected: 'scale and min, two numbers',
      got: excerpt(quantization),
    })
  return { scale, min, round: dtype === 'int32' }
}
