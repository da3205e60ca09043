import type { Dataset, Split } from '../data/datasets/dataset.js'
import { openDataset } from '../data/datasets/open.js'
import { progressBar } from './progress.js'

interface Options {
  readonly signal: AbortSignal
  /** Whether nothing but the result may be shown. */
  readonly quiet: boolean
  /** Default `test`. */
  readonly split?: Split
  /** Where the files of a known data set lie already. */
  readonly folder?: string | undefined
}

/** Opens a data set, with a progress bar where it must be fetched. */
export async function openData(
  nameOrFolder: string,
  { quiet, split = 'test', ...options }: Options,
): Promise<Dataset> {
  const bar = quiet ? undefined : progressBar(`fetching ${nameOrFolder}`)
  try {
    return await openDataset(nameOrFolder, { split, ...options, onProgress: bar?.onProgress })
  } finally {
    bar?.stop()
  }
}
