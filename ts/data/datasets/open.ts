import { stat } from 'node:fs/promises'
import { DatasetError } from '../../errors.js'
import type { FetchOptions } from '../../io/download.js'
import { openCifar10 } from './cifar10.js'
import type { Dataset, Split } from './dataset.js'
import { openFolder } from './folder.js'
import { openFashionMnist, openMnist } from './mnist.js'

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

function isKnown(name: string): name is DatasetName {
  return Object.hasOwn(KNOWN, name)
}
