import type { InferencePrecision } from '../compile/precision.js'
import { concurrently } from '../data/concurrently.js'
import { crops as cropsOf, type CropCount } from '../data/crops.js'
import type { Dataset } from '../data/datasets/dataset.js'
import { toTensor } from '../data/image.js'
import type { Preprocessing } from '../data/preprocessing.js'
import { DatasetError, InvalidArgumentError } from '../errors.js'
import type { Model } from '../model/model.js'
import type { Device } from '../runtime/device.js'
import type { Tensor } from '../tensor.js'
import { chunks, prepareAhead } from './ahead.js'
import { toClassifier, type Classifier, type CompleteClassifier } from './classifier.js'
import { checkBatch, DEFAULT_BATCH } from './predict.js'
import { mean, rank } from './scores.js'
import { imagesAtATime, Scorer } from './scorer.js'

export interface EvaluateOptions {
  readonly device: Device
  /** Crops a run, at most. Default 32. */
  readonly batch?: number | undefined
  /** Element type of activations; `'int8'` needs classifiers with a calibration. Default `'f32'`. */
  readonly precision?: InferencePrecision | undefined
  /** Crops of an image over which the softmax is averaged: AlexNet's 10, GoogLeNet's 144. Default 1, the centre. */
  readonly crops?: CropCount | undefined
  /** Replaces what the weights are known to want. */
  readonly preprocessing?: Preprocessing | undefined
  /** Only the first so many examples. */
  readonly limit?: number | undefined
  /** Told after every run how many images are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** How often a network, or an ensemble, is right. */
export interface Evaluation {
  readonly images: number
  /** Images whose likeliest class is the right one. */
  readonly correct: number
  /** `correct` as a fraction. */
  readonly top1: number
  /** Fraction of images whose class is among the five likeliest. */
  readonly top5: number
  /** Time without that of compiling. */
  readonly seconds: number
}

/**
 * Counts right answers on a data set. Of several classifiers the softmax is averaged.
 *
 * The next images are decoded while the device is busy. Grey images are shown to an RGB network as three equal
 * channels, RGB images to a grey one as their luma.
 *
 * @throws DatasetError when the classes of data set and network differ in number
 * @throws ImageError naming an image that cannot be read
 */
export async function evaluate(
  classifiers: Model<'logits', string> | Classifier | readonly (Model<'logits', string> | Classifier)[],
  dataset: Dataset,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { device, batch = DEFAULT_BATCH, crops = 1, limit = dataset.size } = options
  const { precision, onProgress, signal } = options
  checkBatch(batch)
  if (!Number.isInteger(limit) || limit < 1)
    throw new InvalidArgumentError(`limit must be a positive integer, got ${limit}`, { subject: 'limit' })
  const members = (isList(classifiers) ? classifiers : [classifiers]).map((given) => {
    const member = toClassifier(given)
    checkClasses(member, dataset)
    return { ...member, preprocessing: options.preprocessing ?? member.preprocessing }
  })
  const scorers: Scorer[] = []
  try {
    for (const member of members)
      scorers.push(await Scorer.compile(member, device, { batch, precision, crops, signal }))
    const images = Math.min(limit, dataset.size)
    const indices = Array.from({ length: images }, (_, i) => i)
    const views = distinct(members.map(({ preprocessing }) => preprocessing))
    const prepared = prepareAhead(chunks(indices, imagesAtATime(batch, crops)), (chunk) =>
      prepare(dataset, chunk, views, crops),
    )
    const ranks: number[] = []
    const start = performance.now()
    for await (const { labels, inputs } of prepared) {
      const scores: Float64Array[][] = []
      for (const scorer of scorers)
        scores.push(await scorer.score(inputs.get(keyOf(scorer.preprocessing))!, signal))
      for (const [i, label] of labels.entries())
        ranks.push(rank(mean(scores.map((member) => member[i]!)), label))
      onProgress?.(ranks.length, images)
    }
    const seconds = (performance.now() - start) / 1000
    const correct = ranks.filter((place) => place === 0).length
    const top5 = ranks.filter((place) => place < 5).length / images
    return { images, correct, top1: correct / images, top5, seconds }
  } finally {
    for (const scorer of scorers) scorer.dispose()
  }
}

/** Examples as all classifiers want to see them, by the key of their preprocessing. */
async function prepare(
  dataset: Dataset,
  indices: readonly number[],
  views: ReadonlyMap<string, Preprocessing>,
  crops: CropCount,
): Promise<{ readonly labels: readonly number[]; readonly inputs: ReadonlyMap<string, Tensor> }> {
  const [only] = views.values()
  const examples = await concurrently(indices, async (index) => {
    if (views.size === 1 && crops === 1) {
      const { image, label } = await dataset.get(index, only)
      return { label, crops: [[image]] }
    }
    const { image, label } = await dataset.get(index)
    const all = [...views.values()].map((preprocessing) => cropsOf(image, crops, preprocessing))
    return { label, crops: await Promise.all(all) }
  })
  const inputs = [...views].map(
    ([key, preprocessing], view) =>
      [
        key,
        toTensor(
          examples.flatMap((example) => example.crops[view]!),
          preprocessing,
        ),
      ] as const,
  )
  return { labels: examples.map(({ label }) => label), inputs: new Map(inputs) }
}

function distinct(all: readonly Preprocessing[]): ReadonlyMap<string, Preprocessing> {
  return new Map(all.map((preprocessing) => [keyOf(preprocessing), preprocessing]))
}

function keyOf(preprocessing: Preprocessing): string {
  return JSON.stringify(Object.entries(preprocessing).sort())
}

function checkClasses({ model }: CompleteClassifier, dataset: Dataset): void {
  const { classes } = model.info
  if (dataset.classes.length !== classes)
    throw new DatasetError(
      `${dataset.name} has ${dataset.classes.length} classes, but ${model.name} tells ${classes} apart`,
      { subject: dataset.name, expected: `${classes} classes`, got: String(dataset.classes.length) },
    )
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}
