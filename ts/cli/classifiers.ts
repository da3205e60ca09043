import { access } from 'node:fs/promises'
import { loadWeightsFile, pretrained } from '../../models/pretrained.js'
import { nearest } from '../../models/spelling.js'
import { parseModelName } from '../../models/index.js'
import {
  isWeightsName,
  WEIGHTS_NAMES,
  weightsEntry,
  weightsOf,
  type WeightsName,
} from '../../models/weights.js'
import { InvalidArgumentError } from '../errors.js'
import type { Classifier } from '../evaluate/index.js'
import { progressBar } from './progress.js'

export interface Choice {
  readonly model?: string | undefined
  /** Files, or names of published weights. */
  readonly weights: readonly string[]
  readonly signal: AbortSignal
  /** Whether nothing but the result may be shown. */
  readonly quiet: boolean
}

/**
 * The classifiers that a command line asks for: one for each of its weights, or the network with its most usual
 * published ones.
 *
 * @throws InvalidArgumentError when network and weights do not go together
 */
export async function openClassifiers({ model, weights, ...options }: Choice): Promise<Classifier[]> {
  if (weights.length === 0) return [await openPublished(defaultWeights(model), options)]
  if (model !== undefined) parseModelName(model)
  const classifiers: Classifier[] = []
  for (const name of weights) classifiers.push(await open(model, name, options))
  return classifiers
}

async function open(
  model: string | undefined,
  weights: string,
  options: Omit<Choice, 'model' | 'weights'>,
): Promise<Classifier> {
  if (!isWeightsName(weights)) {
    await refuseMisspelt(weights)
    if (model === undefined)
      throw new InvalidArgumentError(`--model must name the network of the weights file ${weights}`, {
        subject: 'model',
      })
    return loadWeightsFile(parseModelName(model), weights)
  }
  const entry = weightsEntry(weights)
  if (model !== undefined && entry.model !== model)
    throw new InvalidArgumentError(
      `the weights ${weights} belong to ${entry.model}, not to ${model}; leave --model out or name others`,
      { subject: 'weights', expected: entry.model, got: model },
    )
  return openPublished(weights, options)
}

async function openPublished(
  name: WeightsName,
  { signal, quiet }: Omit<Choice, 'model' | 'weights'>,
): Promise<Classifier> {
  const bar = quiet ? undefined : progressBar(`fetching ${name}`)
  try {
    return await pretrained(name, { signal, onProgress: bar?.onProgress })
  } finally {
    bar?.stop()
  }
}

function defaultWeights(model: string | undefined): WeightsName {
  if (model === undefined)
    throw new InvalidArgumentError('name a network with --model or weights with --weights', {
      subject: 'model',
    })
  const [first] = weightsOf(parseModelName(model))
  if (first) return first
  throw new InvalidArgumentError(`there are no published weights of ${model}: name a file with --weights`, {
    subject: 'weights',
  })
}

/** A word that is no file and looks like published weights is a slip, not a missing file. */
async function refuseMisspelt(weights: string): Promise<void> {
  const exists = await access(weights).then(
    () => true,
    () => false,
  )
  const near = exists || /[/\\]/.test(weights) ? [] : nearest(weights, WEIGHTS_NAMES)
  if (near.length === 0) return
  throw new InvalidArgumentError(
    `no file and no published weights '${weights}'; did you mean ${near.join(', ')}?`,
    { subject: 'weights', expected: near.join(', '), got: weights },
  )
}
