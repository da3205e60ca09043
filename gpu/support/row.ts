/** What a check found out. `info` is neither right nor wrong. */
export type Status = 'pass' | 'fail' | 'skip' | 'info'

/** One line of the results. */
export interface Row {
  /** What was looked at, such as `logits`. */
  readonly check: string
  /** On what: a network, a test file, a library. */
  readonly name: string
  /** `f32`, `TF32`, `bf16`, `f16`; empty where it does not matter. */
  readonly mode?: string
  readonly status: Status
  readonly values?: Readonly<Record<string, number | string | null>>
  /** Why it failed or was skipped. */
  readonly note?: string
}

const MARK = '@row '

/** Tells the suite, which started this process, what was found. */
export function report(row: Row): void {
  process.stdout.write(`${MARK}${JSON.stringify(row)}\n`)
}

/** The row in a line that a process printed, if there is one. */
export function parseRow(line: string): Row | null {
  return line.startsWith(MARK) ? (JSON.parse(line.slice(MARK.length)) as Row) : null
}

/** Reports a value beside the largest that it may have. */
export function reportBelow(
  row: Omit<Row, 'status' | 'note'>,
  limits: Readonly<Record<string, readonly [value: number, limit: number]>>,
): void {
  const over = Object.entries(limits).filter(([, [value, limit]]) => !(value < limit))
  report({
    ...row,
    status: over.length === 0 ? 'pass' : 'fail',
    values: {
      ...row.values,
      ...Object.fromEntries(Object.entries(limits).map(([name, [value]]) => [name, value])),
    },
    note: over
      .map(
        ([name, [value, limit]]) => `${name} is ${value.toPrecision(3)}, the bound ${limit.toPrecision(3)}`,
      )
      .join('; '),
  })
}
