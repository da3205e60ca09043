import { DatasetError, ShapeError } from '../../errors.js'
import { elementCount, formatShape, sameShape, tensor, type Tensor } from '../../tensor.js'
import { mixImages, mixLabels } from '../augment/mixup.js'
import { checkLabels } from '../datasets/dataset.js'
import type { ImageSource } from '../image.js'
import type { Image } from '../pixels.js'
import {
  assemble,
  checkCount,
  checkLoading,
  mixtureOf,
  plan,
  type LoadingOptions,
  type TrainingBatch,
} from './batch.js'
import { hire } from './crew.js'
import { fill, type Candidate } from './fill.js'
import { produce, type Staff } from './produce.js'
import { elementsAnImage } from './work.js'

/** An image with its class: decoded pixels, a file's path or the bytes of one. */
export interface ImageItem {
  readonly image: Image | ImageSource
  readonly label: number
}

/** The network's input itself with its class. */
export interface TensorItem {
  /** `[C, H, W]`, the same of all. */
  readonly tensor: Tensor
  readonly label: number
}

export interface StreamOptions<T extends 'f32' | 'u8' = 'f32'> extends LoadingOptions<T> {
  /** Number of classes, which labels stay below. */
  readonly classes: number
}

/** What there is to say about tensors, which are no more than put together. */
export type TensorStreamOptions = Pick<
  StreamOptions,
  'batch' | 'classes' | 'mixup' | 'seed' | 'epoch' | 'dropLast' | 'ahead' | 'signal'
>

/**
 * Batches examples of any origin, in their order: a generator, a database's cursor, a stream of objects. Images are
 * decoded and augmented as {@link loader} does it; the random numbers of each depend on its place in the stream. When
 * damaged ones are skipped, the next good one of the same batch takes the place.
 *
 * @throws InvalidArgumentError for a wrong option
 * @throws DatasetError when a label is no class, or no image of a batch can be read
 * @throws ImageError naming an image that cannot be read, unless damaged ones are skipped
 * @throws ShapeError when tensors differ in shape
 * @throws AbortError when `signal` fires first
 */
export function batchesFrom(
  examples: Iterable<TensorItem> | AsyncIterable<TensorItem>,
  options: TensorStreamOptions,
): AsyncGenerator<TrainingBatch, void>
export function batchesFrom<T extends 'f32' | 'u8' = 'f32'>(
  examples: Iterable<ImageItem> | AsyncIterable<ImageItem>,
  options: StreamOptions<T>,
): AsyncGenerator<TrainingBatch<T>, void>
export function batchesFrom(
  examples: Examples<TensorItem | ImageItem>,
  options: TensorStreamOptions | StreamOptions<'f32' | 'u8'>,
): AsyncGenerator<TrainingBatch<'f32' | 'u8'>, void> {
  checkCount('classes', options.classes, 1)
  return 'preprocessing' in options
    ? imageBatches(examples as Examples<ImageItem>, options)
    : tensorBatches(examples as Examples<TensorItem>, options)
}

type Examples<Item> = Iterable<Item> | AsyncIterable<Item>

function imageBatches(examples: Examples<ImageItem>, options: StreamOptions<'f32' | 'u8'>) {
  const { recipe, batch, dropLast, mixup, onError, workers, ahead, signal } = plan(options)
  const groups = grouped(examples, { batch, dropLast, classes: options.classes })
  return produce({
    hire: () => endingWith(hire(workers, recipe), groups),
    begin: async (crew) => {
      const group = (await groups.next()).value
      if (!group) return undefined
      const { items, number } = group
      const candidates = items.map((item, i) => candidateOf(item, number * batch + i))
      const mixture = mixtureOf(mixup, items.length, recipe, number)
      const filled = await fill(crew, {
        places: items.length,
        candidate: (place, attempt) =>
          attempt < items.length ? candidates[(place + attempt) % items.length] : undefined,
        onError,
        elements: items.length * elementsAnImage(recipe.preprocessing),
        mixture,
      })
      return assemble(filled, recipe, options.classes, mixture)
    },
    ahead,
    signal,
  })
}

function candidateOf({ image, label }: ImageItem, index: number): Candidate {
  const name = typeof image === 'string' ? image : `example ${index}`
  return { index, label, name, image: () => image }
}

function tensorBatches(examples: Examples<TensorItem>, options: TensorStreamOptions) {
  const { batch, classes, mixup, seed = 0, epoch = 0, dropLast = true, ahead = 2, signal } = options
  checkLoading({ batch, seed, epoch, ahead, mixup })
  const groups = grouped(examples, { batch, dropLast, classes })
  return produce({
    hire: () => endingWith({ awaited: () => undefined, dismiss: () => Promise.resolve() }, groups),
    begin: async (): Promise<TrainingBatch | undefined> => {
      const group = (await groups.next()).value
      if (!group) return undefined
      const { items, number } = group
      const images = stacked(items.map(({ tensor }) => tensor))
      const labels = Int32Array.from(items, ({ label }) => label)
      const indices = items.map((_, i) => number * batch + i)
      const mixture = mixtureOf(mixup, items.length, { seed, epoch }, number)
      if (mixture) mixImages(images.data, mixture)
      return {
        images,
        labels,
        ...(mixture && { soft: mixLabels(labels, classes, mixture) }),
        indices,
        skipped: [],
      }
    },
    ahead,
    signal,
  })
}

function stacked(tensors: readonly Tensor[]): Tensor {
  const { shape } = tensors[0]!
  const length = elementCount(shape)
  const data = new Float32Array(tensors.length * length)
  tensors.forEach((each, i) => {
    if (!sameShape(each.shape, shape))
      throw new ShapeError(`a batch holds tensors of ${formatShape(shape)} and ${formatShape(each.shape)}`, {
        expected: formatShape(shape),
        got: formatShape(each.shape),
      })
    data.set(each.data, i * length)
  })
  return tensor(data, [tensors.length, ...shape])
}

interface Group<Item> {
  readonly items: readonly Item[]
  readonly number: number
}

/** Items a batch at a time. */
async function* grouped<Item extends { readonly label: number }>(
  examples: Examples<Item>,
  { batch, dropLast, classes }: { batch: number; dropLast: boolean; classes: number },
): AsyncGenerator<Group<Item>, undefined> {
  let items: Item[] = []
  let number = 0
  const group = () => {
    const labels = items.map(({ label }) => label)
    checkLabels(`batch ${number} of the stream`, labels, classes)
    return { items, number: number++ }
  }
  for await (const item of examples) {
    items.push(item)
    if (items.length < batch) continue
    yield group()
    items = []
  }
  if (items.length > 0 && !dropLast) yield group()
  if (number === 0)
    throw new DatasetError(
      `the stream ended after ${items.length} examples, too few for a batch of ${batch}`,
      {
        subject: 'examples',
        expected: `at least ${batch}`,
        got: String(items.length),
      },
    )
  return undefined
}

/** Whoever ends the crew's work ends the stream. It is not waited for: it may itself wait for what never comes. */
function endingWith<C extends Staff>(crew: C, groups: AsyncGenerator): C {
  const dismiss = () => {
    groups.return(undefined).catch(() => undefined)
    return crew.dismiss()
  }
  return { ...crew, dismiss }
}
