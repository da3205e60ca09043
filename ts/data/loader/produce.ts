import { AbortError } from '../../errors.js'

/** Those who work on batches, as far as it concerns when. */
export interface Staff {
  /** Whether the process stays alive for them: only while somebody waits for a batch. */
  awaited(yes: boolean): void
  /** Ends all work; what is under way is lost. */
  dismiss(): Promise<void>
}

export interface Production<S extends Staff, T> {
  /** Called with the first batch that is asked for. */
  readonly hire: () => S
  /** Begins the next batch; makes nothing when there is none. */
  readonly begin: (crew: S) => Promise<T | undefined>
  /** Batches under way while one is in use. */
  readonly ahead: number
  readonly signal: AbortSignal | undefined
}

/** Yields batches in order. However the iteration ends, the crew is dismissed. */
export async function* produce<S extends Staff, T>({
  hire,
  begin,
  ahead,
  signal,
}: Production<S, T>): AsyncGenerator<T, void> {
  if (signal?.aborted) throw aborted(signal)
  const crew = hire()
  const queue: Promise<T | undefined>[] = []
  try {
    for (;;) {
      while (queue.length <= ahead) {
        const begun = begin(crew)
        // A consumer that stops early never awaits the rest; a failure there concerns nobody.
        begun.catch(() => undefined)
        queue.push(begun)
      }
      crew.awaited(true)
      const made = await unlessAborted(queue.shift()!, signal)
      crew.awaited(false)
      if (made === undefined) return
      yield made
    }
  } finally {
    await crew.dismiss()
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  // Also where the batch is there already.
  if (signal.aborted) throw aborted(signal)
  let onAbort: (() => void) | undefined
  const fired = new Promise<never>((_, reject) => {
    onAbort = () => reject(aborted(signal))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, fired])
  } finally {
    signal.removeEventListener('abort', onAbort!)
  }
}

function aborted(signal: AbortSignal): AbortError {
  return new AbortError('loading was aborted', { cause: signal.reason })
}
