import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** What a contender measured in a round. */
export interface Round {
  readonly milliseconds: readonly number[]
  /** The most memory that the process has had resident so far. */
  readonly peakMiB: number
}

interface Ready {
  readonly ready: string
  readonly output?: readonly number[] | null
}

/** A contender in a process of its own, which waits between its rounds so that others can have theirs. */
export class Contender {
  private constructor(
    /** What it says it is. */
    readonly description: string,
    /** Its first results, if it gives any. */
    readonly output: readonly number[] | null,
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string, unknown>,
  ) {}

  /**
   * Starts one, and waits until it is set up.
   * @throws Error when it ends before
   */
  static async start(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Contender> {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    child.on('error', (error) => process.stderr.write(`${command}: ${error.message}\n`))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const { ready, output = null } = await message<Ready>(lines, [command, ...args].join(' '))
    return new Contender(ready, output, child, lines)
  }

  /** Runs some steps. */
  round(steps: number): Promise<Round> {
    return this.ask(`go ${steps}`)
  }

  /** Sends a line and waits for the line of JSON that answers it. */
  async ask<Answer>(line: string): Promise<Answer> {
    this.child.stdin!.write(`${line}\n`)
    return message(this.lines, this.description)
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    const ended = once(this.child, 'close')
    this.child.stdin!.end()
    await ended
  }
}

async function message<Answer>(lines: AsyncIterator<string, unknown>, who: string): Promise<Answer> {
  const { value, done } = await lines.next()
  if (done) throw new Error(`${who} ended early`)
  return JSON.parse(value) as Answer
}
