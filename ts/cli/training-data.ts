import { readdir } from 'node:fs/promises'
import type { Dataset } from '../data/datasets/dataset.js'
import { DatasetError, InvalidArgumentError } from '../errors.js'
import { openData } from './datasets.js'

interface Choice {
  /** Name of a known data set, or a folder. */
  readonly data: string
  /** A folder of its own to validate on. */
  readonly validation?: string | undefined
  /** Where the files of a known data set lie already. */
  readonly folder?: string | undefined
  readonly signal: AbortSignal
  readonly quiet: boolean
}

/** What to train on, and what to validate on, where there is anything. */
export interface TrainingData {
  readonly train: Dataset
  readonly validation: Dataset | null
}

/**
 * Opens what a command line asks for. Known data sets are validated on their test images, a folder on its `val` or
 * `test` folder, where it has one.
 *
 * @throws InvalidArgumentError for a second validation set
 * @throws DatasetError when a data set is missing, or the two have not the same classes
 */
export async function openTrainingData({ data, validation, ...options }: Choice): Promise<TrainingData> {
  const { DATASET_NAMES } = await import('../data/datasets/open.js')
  const known = DATASET_NAMES.some((name) => name === data)
  if (known && validation !== undefined)
    throw new InvalidArgumentError(`${data} is validated on its own test images: leave --validation out`, {
      subject: 'validation',
    })
  const train = await openData(data, { ...options, split: 'train' })
  if (!known && validation === undefined && !(await hasSplits(data))) return { train, validation: null }
  const other = await openData(validation ?? data, { ...options, split: 'test' })
  expectSameClasses(train, other)
  return { train, validation: other }
}

/** Whether the folder holds one folder a split: without them, both splits are all of it. */
async function hasSplits(folder: string): Promise<boolean> {
  const names = await readdir(folder)
  return names.includes('train') && ['test', 'val', 'validation'].some((name) => names.includes(name))
}

function expectSameClasses(train: Dataset, validation: Dataset): void {
  const [expected, got] = [train, validation].map(({ classes }) => classes.join(', '))
  if (expected !== got)
    throw new DatasetError(
      `the classes to validate on must be those to train on: expected ${expected!}, got ${got!}`,
      { subject: validation.name, expected: expected!, got: got! },
    )
}
