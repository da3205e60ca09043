import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatasetError, InvalidArgumentError } from '../../errors.js'
import type { CacheOptions } from '../../files/cache-folder.js'
import { cachedPath, type FetchOptions } from '../../io/download.js'
import { CIFAR10_SOURCE, openCifar10 } from './cifar10.js'
import type { Dataset, Split } from './dataset.js'
import { openFolder } from './folder.js'
import { FASHION_MNIST_FOLDER, MNIST_SOURCE, openFashionMnist, openMnist } from './mnist.js'

export interface DatasetOptions extends FetchOptions {
  readonly split: Split
  /** Where the files of a known data set lie already; nothing is fetched then. */
  readonly folder?: string | undefined
}

const KNOWN = {
  mnist: openMnist,
  'fashion-mnist': openFashionMnist,
  cifar10: openCifar10,
} as const satisfies Record<string, (options: DatasetOptions) => Promise<Dataset>>

/** A data set that fovea knows by name. */
export type DatasetName = keyof typeof KNOWN

export const DATASET_NAMES = Object.keys(KNOWN) as readonly DatasetName[]

/**
 * Opens a data set: one that fovea knows, fetched into the cache when it is not there yet, or a folder of images
 * with one folder a class.
 *
 * @throws DatasetError when it is missing, incomplete or damaged.
 */
export async function openDataset(
  nameOrFolder: DatasetName | (string & {}),
  options: DatasetOptions,
): Promise<Dataset> {
  if (isKnown(nameOrFolder)) return KNOWN[nameOrFolder](options)
  const entry = await stat(nameOrFolder).catch(() => undefined)
  if (!entry?.isDirectory())
    throw new DatasetError(
      `no data set or folder "${nameOrFolder}"; known data sets are ${DATASET_NAMES.join(', ')}`,
      {
        subject: nameOrFolder,
        expected: `${DATASET_NAMES.join(', ')} or a folder`,
      },
    )
  return openFolder(nameOrFolder, options.split)
}

/**
 * A name that is known only at run time, as one of a known data set.
 * @throws InvalidArgumentError naming the known ones
 */
export function parseDatasetName(name: string): DatasetName {
  if (isKnown(name)) return name
  throw new InvalidArgumentError(`no data set '${name}'; there are ${DATASET_NAMES.join(', ')}`, {
    subject: 'name',
    expected: DATASET_NAMES.join(', '),
    got: name,
  })
}

/** Where the files of a known data set lie once {@link openDataset} has opened it. */
export function datasetFolder(name: DatasetName, options?: CacheOptions): string {
  if (name === 'fashion-mnist') return FASHION_MNIST_FOLDER
  return dirname(cachedPath(name === 'mnist' ? MNIST_SOURCE : CIFAR10_SOURCE, options))
}

function isKnown(name: string): name is DatasetName {
  return Object.hasOwn(KNOWN, name)
}
