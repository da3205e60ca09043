import type { Precision } from '../compile/precision.js'
import type { Dataset } from '../data/datasets/dataset.js'
import type { Preprocessing } from '../data/preprocessing.js'
import type { Model } from '../model/model.js'
import type { Pattern } from '../model/patterns.js'
import type { Device } from '../runtime/device.js'
import type { TrainerEvent, TrainingReport } from './events.js'
import type { Recipe } from './recipe.js'
import { TrainingRun } from './training-run.js'

export interface TrainerOptions {
  readonly model: Model<'logits', string>
  readonly device: Device
  readonly train: Dataset
  /** Compared with after every epoch; it decides which epoch is the best. Default: none. */
  readonly validation?: Dataset | null | undefined
  readonly recipe: Recipe
  /** Replaces the recipe's. */
  readonly epochs?: number | undefined
  /** Replaces the recipe's. */
  readonly batch?: number | undefined
  /**
   * Folder for `metrics.jsonl`, the weights `best.safetensors` and `last.safetensors`, and `state.safetensors`, from
   * which a training goes on. Default: nothing is written.
   */
  readonly out?: string | undefined
  /**
   * Goes on with the training in `out`, bit for bit as if it had never stopped; where there is none, begins it.
   * Default false.
   */
  readonly resume?: boolean | undefined
  /** Saves the state after every so many steps, too. Default: after every epoch only. */
  readonly saveEvery?: number | undefined
  /**
   * Decides all that is random: weights that nobody loaded or set before the model was first compiled, the order of
   * the images, their augmentation, dropout. Default 0.
   */
  readonly seed?: number | undefined
  /** Threads that augment images; see {@link loader}. They do not change the results. */
  readonly workers?: number | undefined
  /** What does not learn in the first so many epochs. */
  readonly freeze?: { readonly patterns: readonly Pattern[]; readonly epochs: number } | undefined
  /** Whether an image that cannot be read ends the training, or another takes its place. Default `fail`. */
  readonly onCorrupt?: 'fail' | 'skip' | undefined
  /**
   * Element type of activations and their gradients, in validations, too; weights, statistics, losses and sums are
   * float32 always. `'f16'` scales the loss so that small gradients are not lost. Default `'f32'`.
   */
  readonly precision?: Precision | undefined
  /** Replaces what the network is taken to want to see. */
  readonly preprocessing?: Preprocessing | undefined
  /** Told of all that happens. */
  readonly onEvent?: ((event: TrainerEvent) => void) | undefined
  /** Lets the step under way finish, saves, and ends the training as interrupted. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Trains a network by a recipe. The model ends with the weights of the last step.
 *
 * With `out`, weights and state are saved after every epoch, each file replaced in one go and the state last: a
 * process that is killed at any moment leaves a folder from which `resume` goes on.
 *
 * @throws DivergedError naming step, rate and layer when the loss, or gradients time and again, are not finite
 * @throws InvalidArgumentError for an option that makes no sense, or a folder that holds another training
 * @throws CheckpointError when the training in `out` was another
 * @throws WriteError when files cannot be written
 * @throws ImageError for an image that cannot be read, unless damaged ones are skipped
 */
export async function train(options: TrainerOptions): Promise<TrainingReport> {
  const run = new TrainingRun(options)
  try {
    await run.open()
    return await run.finish()
  } finally {
    await run.close()
  }
}
