import { SingleBar } from 'cli-progress'
import { formatBytes } from '../io/cache.js'
import type { Progress } from '../io/http.js'

/** Shows a {@link Progress} on a terminal. */
export interface ProgressBar {
  readonly onProgress: Progress
  /** Leaves the bar as it is; to be called at the end, whether that is good or bad. */
  stop(): void
}

/**
 * A progress bar on standard error, so that standard output stays for results. It appears with the first byte, and
 * where there is no terminal it is a single line.
 */
export function progressBar(title: string, stream: NodeJS.WriteStream = process.stderr): ProgressBar {
  let bar: SingleBar | undefined
  let announced = false
  return {
    onProgress(received, total) {
      if (!stream.isTTY) {
        if (!announced) stream.write(`${title}${total === undefined ? '' : ` (${formatBytes(total)})`}\n`)
        announced = true
        return
      }
      const shown = { size: total === undefined ? formatBytes(received) : formatBytes(total) }
      if (bar === undefined) {
        bar = new SingleBar({
          stream,
          format: `${title.replaceAll('{', '(').replaceAll('}', ')')} {bar} {percentage}% of {size}`,
          barsize: 30,
        })
        bar.start(total ?? Math.max(received, 1), received, shown)
        return
      }
      // Without a known length the bar stays full, and the count of bytes goes on.
      bar.setTotal(total ?? Math.max(received, 1))
      bar.update(received, shown)
    },
    stop() {
      bar?.stop()
    },
  }
}
