import { channelCount, inputSide, type Preprocessing } from '../ts/data/preprocessing.js'
import { CheckpointError, InvalidArgumentError, type ErrorDetails } from '../ts/errors.js'
import { malformed } from '../ts/io/checkpoint-error.js'
import type { Json } from '../ts/io/json.js'
import type { Description } from '../ts/model/description.js'
import type { ModelInfo } from '../ts/model/info.js'
import type { Model } from '../ts/model/model.js'
import { createModel, isModelName, type ModelName } from './index.js'

type ClassifierModel = Model<'logits', string>

/**
 * The very network that a weights file was saved from, with fresh weights.
 *
 * @param name - the network that it is taken for
 * @throws CheckpointError when it is another, or what the file tells of it makes no sense
 */
export function recreate(name: ModelName, path: string, description: Description): ClassifierModel {
  const { model: saved, options, preprocessing, labels } = description
  if (isModelName(saved) && saved !== name) throw isAnother(path, saved, name)
  if (!options)
    throw misfit(
      path,
      `holds weights of ${saved}, a network that was imported or self-made: no name makes it`,
    )
  const model = make(name, path, options)
  const { info } = model
  // An option may change the name: without shortcuts, resnet18 is plain18.
  if (info.name !== saved) {
    if (saved !== name) throw isAnother(path, saved, name)
    throw malformed(path, `has options that make ${info.name}, not ${saved}`)
  }
  if (!isFor(info, preprocessing)) {
    const { channels, size, fixed } = info.input
    throw malformed(path, `its preprocessing is not for ${saved}`, {
      expected: `${channels} channel(s)${fixed ? ` of ${size} x ${size}` : ''}`,
      got: `${channelCount(preprocessing)} of ${inputSide(preprocessing)} x ${inputSide(preprocessing)}`,
    })
  }
  if (labels && labels.length !== info.classes)
    throw malformed(path, 'has not one label for each class', {
      expected: String(info.classes),
      got: String(labels.length),
    })
  return model
}

function make(name: ModelName, path: string, options: Json): ClassifierModel {
  try {
    return createModel(name, options)
  } catch (cause) {
    if (!(cause instanceof InvalidArgumentError)) throw cause
    throw malformed(path, `has bad options: ${cause.message}`, { cause })
  }
}

function isFor({ input }: ModelInfo, preprocessing: Preprocessing): boolean {
  if (channelCount(preprocessing) !== input.channels) return false
  return !input.fixed || inputSide(preprocessing) === input.size
}

function isAnother(path: string, saved: string, name: string): CheckpointError {
  return misfit(path, `holds weights of ${saved}, not of ${name}`, { expected: name, got: saved })
}

function misfit(path: string, problem: string, details: ErrorDetails = {}): CheckpointError {
  return new CheckpointError('CHECKPOINT_MISMATCH', `${path} ${problem}`, { subject: path, ...details })
}
