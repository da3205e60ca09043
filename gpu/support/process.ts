import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly timedOut: boolean
  readonly seconds: number
  /** The last lines of standard error. */
  readonly lastWords: string
}

export interface StartOptions {
  readonly seconds: number
  readonly environment?: NodeJS.ProcessEnv
  /** Told of every line of standard output. */
  readonly onLine?: (line: string) => void
  /** Told of everything that is printed. */
  readonly onText?: (text: string) => void
}

const LAST_LINES = 12

/** Runs a program to its end, or to its time limit. It never throws: a program that is not there ends with code 127. */
export function runProcess(command: string, args: readonly string[], options: StartOptions): Promise<Ended> {
  const { seconds, environment = process.env, onLine, onText } = options
  const begin = performance.now()
  return new Promise((resolve) => {
    // A group of its own, so that its children end with it.
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
      detached: true,
    })
    const last: string[] = []
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      if (child.pid !== undefined)
        try {
          process.kill(-child.pid, 'SIGKILL')
        } catch {
          child.kill('SIGKILL')
        }
    }, seconds * 1000)
    createInterface({ input: child.stdout }).on('line', (line) => {
      onLine?.(line)
      onText?.(`${line}\n`)
    })
    createInterface({ input: child.stderr }).on('line', (line) => {
      last.push(line)
      if (last.length > LAST_LINES) last.shift()
      onText?.(`${line}\n`)
    })
    const end = (code: number | null, signal: string | null) => {
      clearTimeout(timer)
      const spent = (performance.now() - begin) / 1000
      resolve({ code, signal, timedOut, seconds: spent, lastWords: last.join('\n') })
    }
    child.on('error', (error) => {
      last.push(error.message)
      end(127, null)
    })
    child.on('close', end)
  })
}

/** Runs tasks, so many at once, in order. */
export async function atOnce<T>(width: number, tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = []
  const waiting = tasks.entries()
  const lane = async () => {
    for (const [index, task] of waiting) results[index] = await task()
  }
  await Promise.all(Array.from({ length: width }, lane))
  return results
}
