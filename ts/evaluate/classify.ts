import type { InferencePrecision } from '../compile/precision.js'
import { concurrently } from '../data/concurrently.js'
import { loadImage, toTensor, type Image, type ImageSource } from '../data/image.js'
import type { Preprocessing } from '../data/preprocessing.js'
import { ImageError, InvalidArgumentError } from '../errors.js'
import type { Model } from '../model/model.js'
import type { Device } from '../runtime/device.js'
import { chunks, prepareAhead } from './ahead.js'
import { toClassifier, type Classifier } from './classifier.js'
import { checkBatch, DEFAULT_BATCH } from './predict.js'
import { largest } from './scores.js'
import { Scorer } from './scorer.js'

export interface ClassifyOptions {
  readonly device: Device
  /** How many of the likeliest classes to tell. Default 5. */
  readonly top?: number | undefined
  /** Images a run, at most. Default 32. */
  readonly batch?: number | undefined
  /** Element type of activations; `'int8'` needs a classifier with a calibration. Default `'f32'`. */
  readonly precision?: InferencePrecision | undefined
  /** Replaces what the weights are known to want. */
  readonly preprocessing?: Preprocessing | undefined
  /** Told of each image that cannot be read, which is then left out. Without it the first one is thrown. */
  readonly onImageError?: ((error: ImageError, image: ImageSource) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Prediction {
  /** Index of the class. */
  readonly index: number
  /** Name of the class, where it is known. */
  readonly label: string | undefined
  readonly probability: number
}

export interface Classification {
  readonly image: ImageSource
  /** The likeliest class first. */
  readonly predictions: readonly Prediction[]
}

/**
 * Tells what is on images: files, or encoded images in memory. The next ones are decoded while the device is busy.
 *
 * @throws ImageError naming an image that cannot be read, unless `onImageError` is given
 */
export async function classify(
  classifier: Model<'logits', string> | Classifier,
  images: readonly ImageSource[],
  options: ClassifyOptions,
): Promise<Classification[]> {
  const { device, top = 5, batch = DEFAULT_BATCH, precision, onImageError, signal } = options
  checkBatch(batch)
  if (!Number.isInteger(top) || top < 1)
    throw new InvalidArgumentError(`top must be a positive integer, got ${top}`, { subject: 'top' })
  if (images.length === 0) return []
  const complete = toClassifier(classifier)
  const { preprocessing = complete.preprocessing } = options
  const atATime = Math.min(batch, images.length)
  const scorer = await Scorer.compile({ ...complete, preprocessing }, device, {
    batch: atATime,
    precision,
    crops: 1,
    signal,
  })
  try {
    const results: Classification[] = []
    const load = (chunk: readonly ImageSource[]) => loadReadable(chunk, preprocessing, onImageError)
    for await (const loaded of prepareAhead(chunks(images, atATime), load)) {
      if (loaded.length === 0) continue
      const pixels = loaded.map(({ pixels }) => pixels)
      const scores = await scorer.score(toTensor(pixels, preprocessing), signal)
      for (const [i, { image }] of loaded.entries())
        results.push({ image, predictions: predictions(scores[i]!, top, complete.labels) })
    }
    return results
  } finally {
    scorer.dispose()
  }
}

interface Loaded {
  readonly image: ImageSource
  readonly pixels: Image
}

async function loadReadable(
  images: readonly ImageSource[],
  preprocessing: Preprocessing,
  onImageError: ClassifyOptions['onImageError'],
): Promise<Loaded[]> {
  const loaded = await concurrently(images, async (image) => {
    try {
      return { image, pixels: await loadImage(image, preprocessing) }
    } catch (error) {
      if (!onImageError || !(error instanceof ImageError)) throw error
      onImageError(error, image)
      return undefined
    }
  })
  return loaded.filter((image) => image !== undefined)
}

function predictions(scores: Float64Array, top: number, labels: readonly string[] | undefined): Prediction[] {
  return largest(scores, top).map((index) => ({
    index,
    label: labels?.[index],
    probability: scores[index]!,
  }))
}
