import type { Dataset, Split } from '../data/datasets/dataset.js'
import { openDataset } from '../data/datasets/open.js'
import { progressBar } from './progress.js'

/** Opens a data set, with a progress bar where it must be fetched. */
export async function openData(
  nameOrFolder: string,
  { signal, quiet, split = 'test' }: { signal: AbortSignal; quiet: boolean; split?: Split },
): Promise<Dataset> {
  const bar = quiet ? undefined : progressBar(`fetching ${nameOrFolder}`)
  try {
    return await openDataset(nameOrFolder, { split, signal, onProgress: bar?.onProgress })
  } finally {
    bar?.stop()
  }
}
