import { createModel, parseModelName, type ModelName } from '../../models/index.js'
import { crossEntropy } from '../../ts/train/loss.js'
import { sgd } from '../../ts/train/optimizer.js'
import type { Precision } from '../../ts/compile/precision.js'
import type { CompiledProgram } from '../../ts/model/compiled.js'
import type { Device } from '../../ts/runtime/device.js'

/** What is run of a network: an inference, or a whole training step. */
export type Mode = 'inference' | 'training'

/** A network that is run in some way. */
export interface Case {
  readonly network: ModelName
  readonly mode: Mode
  readonly batch: number
}

/** The networks whose figures are published, with the batch of a training step. */
export const USUAL: readonly { readonly network: ModelName; readonly training: number }[] = [
  { network: 'alexnet', training: 32 },
  { network: 'vgg16', training: 8 },
  { network: 'googlenet', training: 16 },
  { network: 'inception_v3', training: 8 },
  { network: 'resnet18', training: 16 },
  { network: 'resnet50', training: 8 },
  { network: 'densenet121', training: 8 },
]

/** The optimizer of all training steps that are measured: SGD with momentum. */
export const TRAINING = { loss: crossEntropy(), optimizer: sgd({ lr: 0.001, momentum: 0.9 }) }

/** Compiles what is to be measured, with fresh weights. */
export function compile(
  device: Device,
  { network, mode, batch }: Case,
  precision: Precision = 'f32',
): Promise<CompiledProgram> {
  const model = createModel(network)
  return mode === 'training'
    ? model.compile(device, { batch, precision, training: TRAINING })
    : model.compile(device, { batch, precision })
}

/**
 * Cases from words such as `resnet50`, `resnet50:8`, `resnet50:training` and `resnet50:training:8`.
 *
 * @param words - none for those of `usual`
 * @param batches - of inference where a word names none
 * @throws InvalidArgumentError for an unknown network
 */
export function parseCases(
  words: readonly string[],
  { modes, batches }: { readonly modes: readonly Mode[]; readonly batches: readonly number[] },
): Case[] {
  const names = words.length > 0 ? words : USUAL.map(({ network }) => network)
  return names.flatMap((word) => {
    const [name, ...rest] = word.split(':') as [string, ...string[]]
    const network = parseModelName(name)
    const named = rest.filter((part): part is Mode => part === 'inference' || part === 'training')
    const sizes = rest.filter((part) => /^\d+$/.test(part)).map(Number)
    return (named.length > 0 ? named : modes).flatMap((mode) =>
      (sizes.length > 0 ? sizes : mode === 'training' ? [trainingBatch(network)] : batches).map((batch) => ({
        network,
        mode,
        batch,
      })),
    )
  })
}

function trainingBatch(network: ModelName): number {
  return USUAL.find((usual) => usual.network === network)?.training ?? 8
}

/** `1,8` as numbers. */
export function numbers(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part)
    if (!Number.isInteger(value) || value < 1) throw new Error(`expected numbers as in 1,8, got ${text}`)
    return value
  })
}

/** `inference,training` as modes. */
export function parseModes(text: string): Mode[] {
  return text.split(',').map((part) => {
    if (part !== 'inference' && part !== 'training')
      throw new Error(`expected inference, training or both, got ${text}`)
    return part
  })
}
