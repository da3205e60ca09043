import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidArgumentError, UnsupportedError } from '../errors.js'
import { malformed, messageOf } from './checkpoint-error.js'
import { layOut, type CheckpointTensor } from './checkpoint-tensor.js'
import type { Checkpoint } from './checkpoint.js'
import { excerpt, isJson, type Json } from './json.js'
import { slice } from './random-access.js'
import { exportedLiteral } from './script-literal.js'
import { parseManifest, type Quantization, type WeightEntry } from './tfjs-manifest.js'
import { openRawShards, readScriptShards, readText, type Shards } from './tfjs-shards.js'

/**
 * An open layers model of TensorFlow.js. Its tensors have the names, shapes and order of elements of Keras: kernels
 * are `[height, width, in, out]`.
 */
export interface TfjsModel extends Checkpoint {
  readonly format: 'tfjs'
  /** Keras' description of the network, as it stands in the file. */
  readonly topology: Json
}

const FILES = ['model.json', 'model.min.js', 'model.js']

/**
 * Opens a layers model: a `model.json` with the files of weights beside it, a script that wraps one (such a script is
 * parsed, never executed), or the folder that holds it. Each tensor is read when it is asked for.
 *
 * @throws CheckpointError when a file is missing or damaged
 * @throws UnsupportedError for a graph model or an element type that is not read
 */
export async function openTfjs(pathOrFolder: string): Promise<TfjsModel> {
  const path = await modelFile(pathOrFolder)
  const { document, isScript } = parse(path, await readText(path))
  const topology = topologyOf(path, document)
  const opened: Shards[] = []
  const close = async (): Promise<void> => {
    for (const shards of opened) await shards.close()
  }
  try {
    const tensors = new Map<string, CheckpointTensor>()
    for (const { paths, weights } of parseManifest(path, document.weightsManifest)) {
      const shards = await (isScript ? readScriptShards : openRawShards)(path, paths)
      opened.push(shards)
      for (const tensor of tensorsOf(path, paths, weights, shards)) tensors.set(tensor.name, tensor)
    }
    const metadata = new Map<string, string>()
    return { format: 'tfjs', path, topology, tensors, metadata, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Whether a path looks like a layers model rather than a file of PyTorch: a folder, or by its ending. */
export async function looksLikeTfjs(path: string): Promise<boolean> {
  return /\.js(?:on)?$/.test(path) || ((await stat(path).catch(() => undefined))?.isDirectory() ?? false)
}

async function modelFile(path: string): Promise<string> {
  if (!(await stat(path).catch(() => undefined))?.isDirectory()) return path
  for (const name of FILES) {
    const candidate = join(path, name)
    if ((await stat(candidate).catch(() => undefined))?.isFile()) return candidate
  }
  throw malformed(path, 'the folder holds no model', { expected: `one of ${FILES.join(', ')}` })
}

function parse(path: string, text: string): { document: Json; isScript: boolean } {
  const isScript = !/^\uFEFF?\s*\{/.test(text)
  let document: unknown
  try {
    document = isScript ? exportedLiteral(path, text) : JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw malformed(path, `not JSON: ${messageOf(cause)}`, { cause })
  }
  if (!isJson(document))
    throw malformed(path, 'no model', { expected: 'a JSON object', got: excerpt(document) })
  return { document, isScript }
}

function topologyOf(path: string, { format, modelTopology }: Json): Json {
  if (format === 'graph-model' || (isJson(modelTopology) && 'node' in modelTopology))
    throw new UnsupportedError(
      `${path} is a graph model of TensorFlow.js, which has no layers; convert the network as a layers model`,
      { subject: path, expected: 'layers-model', got: 'graph-model' },
    )
  if (!isJson(modelTopology))
    throw malformed(path, 'no modelTopology', { expected: 'an object', got: excerpt(modelTopology) })
  return modelTopology
}

function tensorsOf(
  path: string,
  paths: readonly string[],
  weights: readonly WeightEntry[],
  { region }: Shards,
): CheckpointTensor[] {
  const total = weights.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total !== region.byteLength)
    throw malformed(
      path,
      `the files ${paths[0] ?? ''} to ${paths.at(-1) ?? ''} do not fit the weightsManifest`,
      {
        expected: `${total} bytes`,
        got: String(region.byteLength),
      },
    )
  let start = 0
  return weights.map(({ name, shape, dtype, bytes, quantization }) => {
    const part = slice(region, start, bytes)
    start += bytes
    const stored = layOut(path, { name, shape, dtype, region: part, offset: 0 })
    return quantization ? dequantized(stored, quantization) : stored
  })
}

function dequantized(stored: CheckpointTensor, { scale, min, round }: Quantization): CheckpointTensor {
  const { name, shape, dtype } = stored
  return {
    name,
    shape,
    dtype,
    read: async () => {
      const values = await stored.read()
      for (let i = 0; i < values.length; i++) {
        const value = values[i]! * scale + min
        values[i] = round ? Math.round(value) : value
      }
      return values
    },
    readInt64: () =>
      Promise.reject(
        new InvalidArgumentError(`tensor "${name}" is quantised and holds no whole numbers`, {
          subject: name,
        }),
      ),
  }
}
