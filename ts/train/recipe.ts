import type { Mixup } from '../data/augment/mixup.js'
import type { Transform } from '../data/augment/transform.js'
import { InvalidArgumentError } from '../errors.js'
import type { Loss, Optimizer, TrainingStepOptions } from '../model/step.js'
import {
  crossEntropy,
  meanSquaredError,
  radialBasisLoss,
  type CrossEntropyOptions,
  type RadialBasisLossOptions,
} from './loss.js'
import {
  adam,
  adamW,
  rmsProp,
  sgd,
  type AdamOptions,
  type RmsPropOptions,
  type SgdOptions,
} from './optimizer.js'
import type { Schedule } from './schedule.js'

/** An optimizer as data. */
export type OptimizerSpec =
  | ({ readonly kind: 'sgd' } & SgdOptions)
  | ({ readonly kind: 'rmsProp' } & RmsPropOptions)
  | ({ readonly kind: 'adam' | 'adamW' } & AdamOptions)

/** A loss as data. That of mean squares wants `on` of the right class and `off` of the others. */
export type LossSpec =
  | ({ readonly kind: 'crossEntropy' } & Omit<CrossEntropyOptions, 'soft'>)
  | { readonly kind: 'meanSquaredError'; readonly on?: number; readonly off?: number }
  | ({ readonly kind: 'radialBasis' } & RadialBasisLossOptions)

/** Settings of some parameters that differ from the optimizer's. */
export interface RecipeGroup {
  /** Name of a parameter, or path of a layer. */
  readonly match: string
  /** Multiplies the learning rate. Default 1. */
  readonly lrScale?: number
  /** Default: the optimizer's. */
  readonly weightDecay?: number
}

/**
 * How a network is trained: plain data, which is written down beside a checkpoint and compared when a training is
 * resumed.
 */
export interface Recipe {
  readonly name: string
  /** Where it comes from: paper and section. */
  readonly source: string
  /** How the network's weights start, and what else belongs to the recipe but is the network's own matter. */
  readonly notes?: string
  readonly optimizer: OptimizerSpec
  readonly schedule: Schedule
  readonly epochs: number
  /** Images a step. */
  readonly batch: number
  /** Augmentation. */
  readonly transforms: readonly Transform[]
  readonly mixup?: Mixup
  readonly loss: LossSpec
  /** Which parameters weight decay acts on: all (default), or only weights of convolutions and linear layers. */
  readonly decay?: 'all' | 'weights'
  readonly groups?: readonly RecipeGroup[]
  /** Largest joint l2 norm of all gradients. Default: no limit. */
  readonly clipNorm?: number
  /** Steps whose gradients are averaged before an update. Default 1. */
  readonly accumulate?: number
  /** Decay of the moving average of the weights, which is then what is validated and kept. Default: none. */
  readonly average?: number
}

/** What a recipe asks of a training step. */
export function stepOptionsOf(recipe: Recipe): TrainingStepOptions {
  const { optimizer, loss, mixup, groups, decay, clipNorm, accumulate, average } = recipe
  return {
    optimizer: optimizerOf(optimizer),
    loss: lossOf(loss, mixup !== undefined),
    groups,
    decay,
    clipNorm,
    accumulate,
    average,
  }
}

function optimizerOf(spec: OptimizerSpec): Optimizer {
  switch (spec.kind) {
    case 'sgd':
      return sgd(spec)
    case 'rmsProp':
      return rmsProp(spec)
    case 'adam':
      return adam(spec)
    case 'adamW':
      return adamW(spec)
  }
}

function lossOf(spec: LossSpec, soft: boolean): Loss {
  switch (spec.kind) {
    case 'crossEntropy':
      return crossEntropy({ ...spec, soft })
    case 'meanSquaredError':
      return meanSquaredError()
    case 'radialBasis':
      if (soft)
        throw new InvalidArgumentError('the loss of radial basis units takes classes, which mixup has not', {
          subject: 'mixup',
        })
      return radialBasisLoss(spec)
  }
}
