import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

interface Round {
  readonly milliseconds: readonly number[]
  readonly peakMiB: number
}

/** A contender in a process of its own, which waits between its rounds so that others can have theirs. */
export class Contender {
  private constructor(
    /** What it says it is. */
    readonly description: string,
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string, unknown>,
  ) {}

  /** Starts one, and waits until it is set up. */
  static async start(command: string, args: readonly string[]): Promise<Contender> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const { ready } = (await message(lines, command)) as { readonly ready: string }
    return new Contender(ready, child, lines)
  }

  /** Runs some steps. */
  async round(steps: number): Promise<Round> {
    this.child.stdin!.write(`go ${steps}\n`)
    return (await message(this.lines, this.description)) as Round
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    const ended = once(this.child, 'close')
    this.child.stdin!.end()
    await ended
  }
}

async function message(lines: AsyncIterator<string, unknown>, who: string): Promise<unknown> {
  const { value, done } = await lines.next()
  if (done) throw new Error(`${who} ended early`)
  return JSON.parse(value)
}
