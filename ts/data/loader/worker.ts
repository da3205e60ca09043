import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { perform, type Recipe, type Result, type Task } from './work.js'

/** What a worker answers: a result, or an error that is not the fault of an image. */
export type Answer = Result | { readonly error: unknown }

/** Behind the threads that compute, but not so far that these come to wait for images. */
const NICE = 5

const port = parentPort!
const recipe = workerData as Recipe

// Linux has a priority for each thread, which this sets for the calling one; elsewhere it is the whole process's.
if (process.platform === 'linux')
  try {
    setPriority(NICE)
  } catch {
    // A sandbox that forbids it loses nothing else.
  }

// One task after the other, in the order in which their batches are wanted.
let last: Promise<void> = Promise.resolve()
port.on('message', (task: Task) => {
  last = last.then(async () => {
    try {
      const result = await perform(task, recipe)
      port.postMessage(result satisfies Answer, [result.data.buffer])
    } catch (error) {
      port.postMessage({ error } satisfies Answer)
    }
  })
})
