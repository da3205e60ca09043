import type { Result } from './results.js'

const LONGEST_NOTE = 150
const MOST_FAILURES = 25

/** Everything in short: checks by kind, what failed, and how fast it was. */
export function summary(rows: readonly Result[], title: string): string {
  return ['', title, ...checks(rows), ...failures(rows), ...benchmarks(rows)].join('\n')
}

function checks(rows: readonly Result[]): string[] {
  const kinds = new Map<string, Result[]>()
  for (const row of rows) {
    if (row.check === 'benchmark') continue
    const key = `${row.stage.padEnd(9)} ${row.check.padEnd(22)} ${(row.mode ?? '').padEnd(5)}`
    kinds.set(key, [...(kinds.get(key) ?? []), row])
  }
  const count = (of: readonly Result[], status: string) =>
    String(of.filter((row) => row.status === status).length).padStart(6)
  return [
    `${'stage'.padEnd(9)} ${'check'.padEnd(22)} ${'mode'.padEnd(5)} passed failed  skipped  worst`,
    ...[...kinds]
      .filter(([, of]) => of.some(({ status }) => status !== 'info'))
      .map(
        ([key, of]) =>
          `${key} ${count(of, 'pass')} ${count(of, 'fail')} ${count(of, 'skip')}    ${worst(of)}`,
      ),
  ]
}

function worst(rows: readonly Result[]): string {
  const errors = rows.flatMap(({ name, values }) =>
    typeof values?.error === 'number' ? [{ name, error: values.error }] : [],
  )
  const largest = errors.toSorted((a, b) => b.error - a.error)[0]
  return largest ? `${largest.error.toExponential(1)} ${largest.name}` : ''
}

function failures(rows: readonly Result[]): string[] {
  const failed = rows.filter(({ status }) => status === 'fail')
  const lines = failed
    .slice(0, MOST_FAILURES)
    .map(
      ({ stage, check, name, mode, note }) =>
        `FAIL ${stage} ${check} ${name} ${mode ?? ''}: ${(note ?? '').slice(0, LONGEST_NOTE).replaceAll('\n', ' / ')}`,
    )
  const more = failed.length - lines.length
  return more > 0 ? [...lines, `and ${more} more failures: results.csv has all`] : lines
}

function benchmarks(rows: readonly Result[]): string[] {
  const measured = rows.filter(({ check, status }) => check === 'benchmark' && status === 'pass')
  if (measured.length === 0) return []
  const text = (value: unknown, width: number) =>
    (typeof value === 'number'
      ? String(Number(value.toPrecision(4)))
      : typeof value === 'string'
        ? value
        : '-'
    ).padStart(width)
  return [
    `${'network'.padEnd(14)} ${'task'.padEnd(9)} batch mode     img/s       ms   PyTorch img/s      (best of)  ratio`,
    ...measured.map(
      ({ name, mode = '', values = {} }) =>
        `${name.padEnd(14)} ${text(values.task, 9)} ${text(values.batch, 5)} ${mode.padEnd(5)} ${text(values.imagesPerSecond, 8)} ${text(values.ms, 8)}   ${text(values.peerImagesPerSecond, 13)} ${text(values.peer, 14)} ${text(values.ratio, 6)}`,
    ),
  ]
}
