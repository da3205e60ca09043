import { availableParallelism } from 'node:os'
import { InvalidArgumentError } from '../../errors.js'
import { Tensor } from '../../tensor.js'
import { checkMixup, drawMixture, mixLabels, type Mixture, type Mixup } from '../augment/mixup.js'
import { checkTransforms, type Transform } from '../augment/transform.js'
import { stream } from '../draws.js'
import { channelCount, checkPreprocessing, inputSide, type Preprocessing } from '../preprocessing.js'
import type { Filled, OnError, SkippedExample } from './fill.js'
import type { Recipe } from './work.js'

/** Examples of one training step. */
export interface TrainingBatch<T extends 'f32' | 'u8' = 'f32'> {
  /** Normalised `[N, C, H, W]`; of the type 'u8', bytes `[N, H, W, C]` that the device normalises. */
  readonly images: Tensor<T>
  /** The class of each image; with mixup, that of its own share. */
  readonly labels: Int32Array
  /** Class probabilities `[N, classes]`, with mixup. */
  readonly soft?: Tensor
  /** Which examples these are. */
  readonly indices: readonly number[]
  /** Damaged examples of this batch, whose places others have taken. */
  readonly skipped: readonly SkippedExample[]
}

/** What data sets and streams of examples have in common. */
export interface LoadingOptions<T extends 'f32' | 'u8' = 'f32'> {
  /** Images a batch. */
  readonly batch: number
  readonly preprocessing: Preprocessing
  /** The augmentation. Default: none, the centre crop of an evaluation. */
  readonly transforms?: readonly Transform[] | undefined
  readonly mixup?: Mixup | undefined
  /** With `epoch` decides all random numbers. Default 0. */
  readonly seed?: number | undefined
  /** Default 0. */
  readonly epoch?: number | undefined
  /** Leaves out the examples that do not fill a batch. Default true. */
  readonly dropLast?: boolean | undefined
  /** Whether an image that cannot be read ends the epoch, or another takes its place. Default 'fail'. */
  readonly onError?: OnError | undefined
  /** Type of the images. Default 'f32'. */
  readonly dtype?: T | undefined
  /**
   * Threads that augment, beside those of the image library that decode. Default: one less than there are
   * processors, but at least 1. With 0 the calling thread augments.
   */
  readonly workers?: number | undefined
  /** Batches that are prepared while one is in use; each takes its memory. Default: two more than workers. */
  readonly ahead?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** {@link LoadingOptions} with nothing left open. */
export interface Plan {
  readonly recipe: Recipe
  readonly batch: number
  readonly mixup: Mixup | undefined
  readonly dropLast: boolean
  readonly onError: OnError
  readonly workers: number
  readonly ahead: number
  readonly signal: AbortSignal | undefined
}

/** @throws InvalidArgumentError for an option that has a wrong value */
export function plan(options: LoadingOptions<'f32' | 'u8'>): Plan {
  const { batch, preprocessing, transforms = [], mixup, seed = 0, epoch = 0 } = options
  const { dropLast = true, onError = 'fail', dtype = 'f32', signal } = options
  const { workers = Math.max(1, availableParallelism() - 1) } = options
  const { ahead = workers + 2 } = options
  checkLoading({ batch, seed, epoch, ahead, mixup })
  checkCount('workers', workers, 0)
  checkPreprocessing(preprocessing)
  checkTransforms(transforms, preprocessing)
  const recipe = { transforms, preprocessing, seed, epoch, dtype }
  return { recipe, batch, mixup, dropLast, onError, workers, ahead, signal }
}

/** @throws InvalidArgumentError for an option that has a wrong value */
export function checkLoading(options: {
  readonly batch: number
  readonly seed: number
  readonly epoch: number
  readonly ahead: number
  readonly mixup: Mixup | undefined
}): void {
  checkCount('batch', options.batch, 1)
  checkCount('seed', options.seed, 0)
  checkCount('epoch', options.epoch, 0, 2 ** 32 - 1)
  checkCount('ahead', options.ahead, 0)
  if (options.mixup) checkMixup(options.mixup)
}

/** @throws InvalidArgumentError unless it is an integer of the range */
export function checkCount(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  const expected = `an integer from ${least} to ${most}`
  throw new InvalidArgumentError(`${name} must be ${expected}, got ${value}`, {
    subject: name,
    expected,
    got: String(value),
  })
}

/** How the images of a batch are mixed, if they are. */
export function mixtureOf(
  mixup: Mixup | undefined,
  images: number,
  { seed, epoch }: Pick<Recipe, 'seed' | 'epoch'>,
  number: number,
): Mixture | undefined {
  return mixup && drawMixture(mixup, images, stream('mixup', seed, epoch, number))
}

/** A batch of which everything is there. */
export function assemble(
  { data, examples, skipped }: Filled,
  { preprocessing }: Recipe,
  classes: number,
  mixture: Mixture | undefined,
): TrainingBatch<'f32' | 'u8'> {
  const side = inputSide(preprocessing)
  const channels = channelCount(preprocessing)
  const count = examples.length
  const labels = Int32Array.from(examples, ({ label }) => label)
  return {
    images:
      data instanceof Float32Array
        ? new Tensor([count, channels, side, side], data, 'f32')
        : new Tensor([count, side, side, channels], data, 'u8'),
    labels,
    ...(mixture && { soft: mixLabels(labels, classes, mixture) }),
    indices: examples.map(({ index }) => index),
    skipped,
  }
}
