import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { foreignEnvironment, PYTHON } from './suite.js'

/** What PyTorch is asked to measure. */
export interface Job {
  readonly network: string
  readonly task: 'inference' | 'training'
  readonly batch: number
  readonly mode: string
  readonly kind: 'eager' | 'graph' | 'compile'
  readonly size: number
  readonly seconds: number
}

export interface Answer {
  readonly ms?: number
  readonly latencyMs?: number
  readonly endToEndMs?: number
  readonly peakMiB?: number | null
  readonly error?: string
}

/** PyTorch in a process of its own, which is started when it is first asked, and anew after it was killed. */
export class Peer {
  /** What it says it is. */
  description = ''
  private child: ChildProcess | null = null
  private lines: AsyncIterator<string, unknown> | null = null

  constructor(private readonly log: (text: string) => void) {}

  /** Its answer, or why there is none within so many seconds. */
  async ask(job: Job, seconds: number): Promise<Answer> {
    const timer = setTimeout(() => {
      this.end()
    }, seconds * 1000)
    try {
      if (!this.child) await this.start()
      this.child!.stdin!.write(`${JSON.stringify(job)}\n`)
      return (await this.message()) as Answer
    } catch (error) {
      this.end()
      return { error: (error as Error).message }
    } finally {
      clearTimeout(timer)
    }
  }

  end(): void {
    const { child } = this
    this.child = null
    this.lines = null
    if (child?.pid === undefined) return
    try {
      // With the compilers that it started.
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      child.kill('SIGKILL')
    }
  }

  private async start(): Promise<void> {
    const file = fileURLToPath(new URL('../../../gpu/peers/benchmark.py', import.meta.url))
    const child = spawn(PYTHON, [file], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: foreignEnvironment(),
      detached: true,
    })
    child.on('error', () => child.stdout.destroy())
    child.stdin.on('error', () => undefined)
    child.stderr.on('data', (data) => {
      this.log(String(data))
    })
    this.child = child
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.description = ((await this.message()) as { readonly ready: string }).ready
  }

  private async message(): Promise<unknown> {
    const { value, done } = await this.lines!.next()
    if (done) throw new Error('PyTorch ended early, or was not done in time')
    return JSON.parse(value)
  }
}
