import { fileURLToPath } from 'node:url'
import { atOnce, runProcess, type Ended } from './process.js'
import type { Results } from './results.js'
import { parseRow, type Row } from './row.js'
import { rehearsal } from './target.js'

/** Seconds that are kept for the table and the end. */
const RESERVE = 10
/** A rehearsal takes longer. */
const PATIENCE = rehearsal ? 8 : 1

export interface ProgramOptions {
  /** At most; less where the stage has less left. */
  readonly seconds: number
  readonly environment?: NodeJS.ProcessEnv
  /** Whether a failure of the program itself counts. Default true: else it is reported as skipped. */
  readonly counts?: boolean
}

/** A stage under way: starts its checks, each in a process of its own, and writes down what they report. */
export class Stage {
  constructor(
    readonly name: string,
    private readonly results: Results,
    private readonly deadline: number,
  ) {}

  /** Seconds left. */
  get left(): number {
    return (this.deadline - performance.now()) / 1000 - RESERVE
  }

  get folder(): string {
    return this.results.folder
  }

  report(row: Row): void {
    this.results.add(this.name, row)
  }

  log(text: string): void {
    this.results.log(text)
  }

  /** Appends to a table of its own. */
  table(file: string, columns: readonly string[], row: Readonly<Record<string, unknown>>): void {
    this.results.line(file, columns, row)
  }

  /** Runs one of the programs in `gpu/checks` and reports its rows, and its own failure. */
  check(program: string, args: readonly string[], options: ProgramOptions): Promise<readonly Row[]> {
    const file = fileURLToPath(new URL(`../checks/${program}.js`, import.meta.url))
    return this.run(`${program} ${args.join(' ')}`.trim(), process.execPath, [file, ...args], options)
  }

  /** Runs one of the programs in `gpu/peers`, which need Python and PyTorch. */
  peer(program: string, args: readonly string[], options: ProgramOptions): Promise<readonly Row[]> {
    const file = fileURLToPath(new URL(`../../../gpu/peers/${program}.py`, import.meta.url))
    const environment = foreignEnvironment()
    return this.run(`${program}.py ${args.join(' ')}`.trim(), PYTHON, [file, ...args], {
      environment,
      counts: false,
      ...options,
    })
  }

  /** Runs a program that reports rows. @returns its rows */
  async run(
    title: string,
    command: string,
    args: readonly string[],
    { seconds, environment, counts = true }: ProgramOptions,
  ): Promise<readonly Row[]> {
    const patience = seconds * PATIENCE
    const limit = Math.min(patience, this.left)
    if (limit < 1) {
      this.report({ check: 'program', name: title, status: 'skip', note: 'no time is left in this stage' })
      return []
    }
    const rows: Row[] = []
    const ended = await runProcess(command, args, {
      seconds: limit,
      ...(environment ? { environment } : {}),
      onLine: (line) => {
        const row = parseRow(line)
        if (!row) return
        rows.push(row)
        this.report(row)
      },
      onText: (text) => {
        this.results.log(text)
      },
    })
    const problem = whatWentWrong(ended, limit, rows.length)
    // What a time limit that the stage itself shortened cuts off is not wrong.
    const cut = ended.timedOut && limit < patience
    if (problem)
      this.report({
        check: 'program',
        name: title,
        status: counts && !cut ? 'fail' : 'skip',
        values: { seconds: Number(ended.seconds.toFixed(1)) },
        note: cut ? 'no time was left in this stage' : problem,
      })
    return rows
  }

  /** Runs checks, so many at once. */
  async together(width: number, tasks: readonly (() => Promise<unknown>)[]): Promise<void> {
    await atOnce(width, tasks)
  }
}

/** Python with PyTorch. */
export const PYTHON = process.env.FOVEA_GPU_PYTHON ?? 'python3'

/** The environment for programs that are not the bundle's, and must not find its libraries. */
export function foreignEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, PYTHONUNBUFFERED: '1' }
  const own = environment.FOVEA_GPU_LIBRARY_PATH
  if (own) environment.LD_LIBRARY_PATH = own
  else delete environment.LD_LIBRARY_PATH
  return environment
}

function whatWentWrong(
  { code, signal, timedOut, lastWords }: Ended,
  limit: number,
  rows: number,
): string | null {
  if (timedOut) return `was not done after ${limit.toFixed(0)} s`
  if (signal !== null) return `died of ${signal}: ${lastWords}`
  if (code !== 0) return `ended with code ${code}: ${lastWords}`
  return rows === 0 ? 'reported nothing' : null
}
