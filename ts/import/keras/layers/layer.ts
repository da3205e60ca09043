import type { CheckpointTensor } from '../../../io/checkpoint.js'
import type { Module, Parameter } from '../../../nn/index.js'
import { ACTIVATIONS, type Activation, type Features } from '../features.js'
import type { Config } from '../config.js'
import type { LayerWeights } from '../weights.js'

/** What a layer is built from, besides what it takes. */
export interface LayerSource {
  readonly className: string
  readonly config: Config
  readonly weights: LayerWeights
}

/** A layer of Keras in terms of ours. */
export interface BuiltLayer {
  /** Where its parameters are, if it has any. */
  readonly module?: Module
  /** The values of the parameters. */
  readonly values?: ReadonlyMap<Parameter, CheckpointTensor>
  /** Whether it ties the network to one size of images. */
  readonly fixesSize?: boolean
  readonly apply: (...inputs: readonly [Features, ...Features[]]) => Features
}

/** Builds a layer when it is used first, from what it takes there. */
export type Builder = (source: LayerSource, input: Features) => BuiltLayer

/** The activation that many layers have built in. */
export function activationOf(config: Config): Activation {
  return config.word('activation', ACTIVATIONS, 'linear')
}

/** @throws UnsupportedError unless the layer takes an image whose channels come last, as all ours do */
export function expectImage({ config }: LayerSource, input: Features): void {
  config.only('data_format', 'channels_last')
  if (!input.isImage) throw config.unsupported('flat features as its input', 'an image')
}

/** @throws UnsupportedError unless `axis` means the channels, or the features of a flat input */
export function expectChannelAxis({ config }: LayerSource, input: Features): void {
  const last = input.isImage ? 3 : 1
  config.only('axis', -1, last, [last], [-1])
}
