import { checkPreprocessing, type Preprocessing } from '../data/preprocessing.js'
import { malformed, messageOf } from '../io/checkpoint-error.js'
import type { Checkpoint } from '../io/checkpoint.js'
import { excerpt, isJson, type Json } from '../io/json.js'
import type { ModelInfo } from './info.js'

/** What a weights file of ours tells of its network, so that the very same can be made again. */
export interface Description {
  /** Name of the architecture. */
  readonly model: string
  /** The options that it was made with, where it has a name to be made by. */
  readonly options: Json | undefined
  readonly preprocessing: Preprocessing
  readonly labels: readonly string[] | null
}

const KEY = 'fovea.model'

/** A description as the texts that a safetensors file carries beside its tensors. */
export function describeModel(info: ModelInfo): Readonly<Record<string, string>> {
  const { name, classes, options, preprocessing, labels = null } = info
  // Of a network with a new last layer, the options tell what it was made with.
  const now = options && { ...options, classes }
  return { format: 'pt', model: name, [KEY]: JSON.stringify({ options: now, preprocessing, labels }) }
}

/**
 * What {@link describeModel} wrote into a file.
 *
 * @returns undefined for files of other origin
 * @throws CheckpointError when it is damaged
 */
export function readDescription({
  path,
  metadata,
}: Pick<Checkpoint, 'path' | 'metadata'>): Description | undefined {
  const text = metadata.get(KEY)
  if (text === undefined) return undefined
  const model = metadata.get('model')
  if (model === undefined) throw malformed(path, `has "${KEY}", but no "model" that is so`)
  const { options, preprocessing, labels = null } = parse(path, text)
  if (options !== undefined && !isJson(options))
    throw malformed(path, `${KEY}: bad options`, { expected: 'an object', got: excerpt(options) })
  if (labels !== null && !areTexts(labels))
    throw malformed(path, `${KEY}: bad labels`, { expected: 'a list of names', got: excerpt(labels) })
  try {
    checkPreprocessing(preprocessing)
  } catch (cause) {
    throw malformed(path, `${KEY}: ${messageOf(cause)}`, { cause })
  }
  return { model, options, preprocessing, labels }
}

function parse(path: string, text: string): Json {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw malformed(path, `${KEY} is not JSON: ${messageOf(cause)}`, { cause })
  }
  if (!isJson(value)) throw malformed(path, `${KEY} is not a JSON object`, { got: excerpt(value) })
  return value
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
