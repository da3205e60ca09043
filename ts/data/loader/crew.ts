import { Worker } from 'node:worker_threads'
import type { Staff } from './produce.js'
import { perform, type Recipe, type Result, type Task } from './work.js'
import type { Answer } from './worker.js'

/** Those who work on batches. */
export interface Crew extends Staff {
  run(task: Task): Promise<Result>
}

/** @param workers - number of threads; with 0 the calling one does the work, but for decoding */
export function hire(workers: number, recipe: Recipe): Crew {
  if (workers === 0)
    return {
      run: (task) => perform(task, recipe),
      awaited: () => undefined,
      dismiss: () => Promise.resolve(),
    }
  const hands = Array.from({ length: workers }, () => new Hand(recipe))
  return {
    run: (task) => hands.reduce((least, hand) => (hand.tasks < least.tasks ? hand : least)).run(task),
    awaited: (yes) => hands.forEach((hand) => hand.awaited(yes)),
    dismiss: async () => {
      await Promise.all(hands.map((hand) => hand.dismiss()))
    },
  }
}

// Threads start from JavaScript: in tests, which run from the sources, from what was compiled last.
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/ts/data/loader/worker.js' : './worker.js',
  import.meta.url,
)

interface Pending {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/** One thread, which answers in order. */
class Hand {
  private readonly worker: Worker
  private readonly pending: Pending[] = []
  private broken: Error | undefined

  constructor(recipe: Recipe) {
    // Flags of the process, such as those of a test runner or a shell's --eval, are none of the worker's business.
    this.worker = new Worker(ENTRY, { workerData: recipe, execArgv: [], name: 'fovea loader' })
    this.worker.on('message', (answer: Answer) => {
      const { resolve, reject } = this.pending.shift()!
      if ('error' in answer) reject(answer.error)
      else resolve(answer)
    })
    this.worker.on('error', (error) => this.fail(error))
    this.worker.on('exit', () => this.fail(new Error('a loader thread ended')))
  }

  get tasks(): number {
    return this.pending.length
  }

  run(task: Task): Promise<Result> {
    if (this.broken) return Promise.reject(this.broken)
    return new Promise((resolve, reject) => {
      this.pending.push({ resolve, reject })
      const { batch, bytes } = task
      const begun = typeof batch === 'number' ? [] : [batch.buffer]
      this.worker.postMessage(task, [...begun, bytes.buffer])
    })
  }

  awaited(yes: boolean): void {
    if (yes) this.worker.ref()
    else this.worker.unref()
  }

  async dismiss(): Promise<void> {
    await this.worker.terminate()
  }

  private fail(error: Error): void {
    this.broken ??= error
    for (const { reject } of this.pending.splice(0)) reject(this.broken)
  }
}
