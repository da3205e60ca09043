import { InvalidArgumentError } from '../../errors.js'
import { Tensor } from '../../tensor.js'
import { concurrently } from '../concurrently.js'
import { toTensor } from '../image.js'
import type { Preprocessing } from '../preprocessing.js'
import type { Dataset } from './dataset.js'

/** Examples ready for a network. */
export interface Batch {
  /** Normalised `[N, C, H, W]`. */
  readonly images: Tensor
  /** `[N]` */
  readonly labels: Tensor<'i32'>
  /** Which examples of the data set these are. */
  readonly indices: readonly number[]
}

export interface BatchOptions {
  /** Examples a batch; the last one may hold fewer. */
  readonly size: number
  readonly preprocessing: Preprocessing
  /** Examples to visit, in this order; all of them, in theirs, when left out. */
  readonly indices?: readonly number[]
  /** Batches loaded while the current one is in use. */
  readonly ahead?: number
}

/** Loads the named examples, several at a time. */
export async function loadExamples(
  dataset: Dataset,
  indices: readonly number[],
  preprocessing: Preprocessing,
): Promise<Batch> {
  const examples = await concurrently(indices, (index) => dataset.get(index, preprocessing))
  const images = toTensor(
    examples.map(({ image }) => image),
    preprocessing,
  )
  const labels = Int32Array.from(examples, ({ label }) => label)
  return { images, labels: new Tensor([labels.length], labels, 'i32'), indices }
}

/** Walks through a data set batch by batch, loading `ahead` of the consumer. */
export async function* batches(
  dataset: Dataset,
  { size, preprocessing, indices, ahead = 2 }: BatchOptions,
): AsyncGenerator<Batch, void> {
  if (!Number.isInteger(size) || size < 1)
    throw new InvalidArgumentError(`a batch needs a positive size, got ${size}`, { subject: 'size' })
  const order = indices ?? Array.from({ length: dataset.size }, (_, i) => i)
  const queue: Promise<Batch>[] = []
  for (let next = 0; next < order.length || queue.length > 0;) {
    for (; next < order.length && queue.length <= ahead; next += size) {
      const batch = loadExamples(dataset, order.slice(next, next + size), preprocessing)
      // A consumer that stops early never awaits what was loaded ahead; a failure there concerns nobody.
      batch.catch(() => undefined)
      queue.push(batch)
    }
    yield await queue.shift()!
  }
}
