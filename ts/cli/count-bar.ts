import type { SingleBar } from 'cli-progress'

/** Shows how many images are done. */
export interface CountBar {
  readonly onProgress: (done: number, total: number) => void
  stop(): void
}

/** A bar on standard error; nothing where there is no terminal. */
export async function countBar(
  title: string,
  stream: NodeJS.WriteStream = process.stderr,
): Promise<CountBar> {
  if (!stream.isTTY) return { onProgress: () => undefined, stop: () => undefined }
  const { default: progress } = await import('cli-progress')
  const start = performance.now()
  let bar: SingleBar | undefined
  return {
    onProgress(done, total) {
      const speed = { speed: Math.round((1000 * done) / (performance.now() - start)) }
      if (bar === undefined) {
        const format = `${title} {bar} {value} of {total}, {speed} images a second, {eta} s left`
        bar = new progress.SingleBar({ stream, format, barsize: 30 })
        bar.start(total, done, speed)
      }
      bar.update(done, speed)
    },
    stop: () => bar?.stop(),
  }
}
