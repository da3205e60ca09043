import { DatasetError } from '../../errors.js'
import { checkLabels, type Dataset } from '../datasets/dataset.js'
import { permutation, stream } from '../draws.js'
import { assemble, checkCount, mixtureOf, plan, type LoadingOptions, type TrainingBatch } from './batch.js'
import { hire, type Crew } from './crew.js'
import { fill, type Candidate } from './fill.js'
import { produce } from './produce.js'
import { elementsAnImage } from './work.js'

export interface LoaderOptions<T extends 'f32' | 'u8' = 'f32'> extends LoadingOptions<T> {
  /** Visits the examples in an order that seed and epoch decide, rather than in theirs. Default true. */
  readonly shuffle?: boolean | undefined
  /** Batches of the epoch that were consumed before, to go on from there. Default 0. */
  readonly skip?: number | undefined
}

/**
 * One epoch of training batches, decoded and augmented by other threads while the device computes.
 *
 * All that is random is a function of (seed, epoch, index of the example), and mixup's draws of (seed, epoch,
 * number of the batch): the batches are the same whatever the number of workers, and after `skip` batches those
 * that would have followed.
 *
 * Workers start with the first batch that is asked for and end with the iteration, also when it is left early. They
 * keep the process alive only while a batch is waited for.
 *
 * @throws InvalidArgumentError for a wrong option
 * @throws DatasetError when a label has no class, the data set fills no batch, or too many examples in a row are
 * damaged
 * @throws ImageError naming an image that cannot be read, unless damaged ones are skipped
 * @throws AbortError when `signal` fires first
 */
export function loader<T extends 'f32' | 'u8' = 'f32'>(
  dataset: Dataset,
  options: LoaderOptions<T>,
): AsyncGenerator<TrainingBatch<T>, void> {
  const { recipe, batch, mixup, onError, workers, ahead, signal } = plan(options)
  const { seed, epoch, preprocessing } = recipe
  const { shuffle = true, skip = 0 } = options
  const { name, size, classes } = dataset
  const batches = batchesAnEpoch(dataset, options)
  checkCount('skip', skip, 0, batches)
  const labels = Array.from({ length: size }, (_, index) => dataset.label(index))
  checkLabels(name, labels, classes.length)
  const order = shuffle ? permutation(size, stream('order', seed, epoch, 0)) : undefined

  const candidate = (position: number): Candidate => {
    const index = order ? order[position % size]! : position % size
    const path = dataset.path?.(index)
    return {
      index,
      label: labels[index]!,
      name: path ?? `example ${index} of ${name}`,
      image: async () => path ?? (await dataset.get(index)).image,
    }
  }

  const load = async (crew: Crew, number: number) => {
    const start = number * batch
    const places = Math.min(batch, size - start)
    const mixture = mixtureOf(mixup, places, recipe, number)
    const filled = await fill(crew, {
      places,
      candidate: (place, attempt) => (attempt < size ? candidate(start + place + attempt) : undefined),
      onError,
      elements: places * elementsAnImage(preprocessing),
      mixture,
    })
    return assemble(filled, recipe, classes.length, mixture) as TrainingBatch<T>
  }

  let next = skip
  return produce({
    hire: () => hire(Math.min(workers, batches - skip), recipe),
    begin: async (crew) => (next < batches ? load(crew, next++) : undefined),
    ahead,
    signal,
  })
}

/**
 * Batches that {@link loader} gives an epoch.
 *
 * @throws DatasetError when there are too few examples for one
 */
export function batchesAnEpoch(
  { name, size }: Dataset,
  { batch, dropLast = true }: { readonly batch: number; readonly dropLast?: boolean | undefined },
): number {
  checkCount('batch', batch, 1)
  const batches = dropLast ? Math.floor(size / batch) : Math.ceil(size / batch)
  if (batches === 0)
    throw new DatasetError(
      `${name} holds ${size} examples, too few for a batch of ${batch}` +
        (size > 0 ? '; a smaller batch, or dropLast: false, would take them' : ''),
      { subject: name, expected: `at least ${batch}`, got: String(size) },
    )
  return batches
}
