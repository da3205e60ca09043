import { writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { DatasetError } from '../errors.js'
import { writing } from '../io/write-pieces.js'
import { curves } from './curves.js'
import { METRICS_FILE, readMetrics } from './metrics.js'
import { reportPage } from './page.js'
import { drawPlot } from './plot.js'

/** What {@link writeReport} wrote. */
export interface ReportFiles {
  /** A page that needs nothing else: no network, no file beside it, no script. */
  readonly page: string
  /** The plots, one SVG each. */
  readonly plots: readonly string[]
}

/**
 * Draws the curves of a training run from the metrics in its folder: `report.html`, and each plot as SVG.
 *
 * @throws DatasetError when the folder holds no metrics yet
 * @throws WriteError when files cannot be written
 */
export async function writeReport(folder: string): Promise<ReportFiles> {
  const run = await readMetrics(folder)
  const drawn = await Promise.all(
    curves(run).map(async ({ file, plot }) => ({ path: join(folder, file), svg: await drawPlot(plot) })),
  )
  if (drawn.length === 0)
    throw new DatasetError(`${join(folder, METRICS_FILE)} holds no measurement yet`, { subject: folder })
  for (const { path, svg } of drawn) await writing(path, () => writeFile(path, svg))
  const page = join(folder, 'report.html')
  const name = basename(resolve(folder))
  const title = run.network === null ? name : `${run.network} (${name})`
  const plots = drawn.map(({ svg }) => svg)
  await writing(page, () => writeFile(page, reportPage(title, run, plots)))
  return { page, plots: drawn.map(({ path }) => path) }
}
