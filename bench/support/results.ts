import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Machine } from './machine.js'

/** A line of a table of figures; null where there is none. */
export type Row = Readonly<Record<string, string | number | null>>

/** Figures, and where they were measured. */
export interface Results<R extends Row = Row> {
  readonly machine: Machine
  readonly rows: readonly R[]
}

/** Prints a result as one line of JSON. */
export function say(row: Row): void {
  process.stdout.write(`${JSON.stringify(row)}\n`)
}

/** Writes figures as CSV, below comments that describe the machine. Does nothing without a path. */
export async function writeResults(path: string | undefined, { machine, rows }: Results): Promise<void> {
  if (path === undefined) return
  const columns = Object.keys(rows[0] ?? {})
  const lines = [
    ...Object.entries(machine).map(([name, value]) => `# ${name}: ${value}`),
    columns.join(','),
    ...rows.map((row) => columns.map((column) => quoted(row[column] ?? null)).join(',')),
  ]
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `${lines.join('\n')}\n`)
}

/** Reads what {@link writeResults} wrote. */
export async function readResults<R extends Row>(path: string): Promise<Results<R>> {
  return parseResults(await readFile(path, 'utf8'))
}

/** The figures in the text of a file. Numbers become numbers, empty cells null. */
export function parseResults<R extends Row>(text: string): Results<R> {
  const machine: Record<string, string> = {}
  const lines = text.split('\n').filter((line) => line !== '')
  const table = lines.filter((line) => !line.startsWith('#'))
  for (const line of lines) {
    const [, name, value] = /^# ([^:]+): (.*)$/.exec(line) ?? []
    if (name !== undefined) machine[name] = value!
  }
  const [header = '', ...body] = table
  const columns = cells(header)
  const rows = body.map((line) => {
    const values = cells(line)
    return Object.fromEntries(columns.map((column, i) => [column, parsed(values[i] ?? '')])) as R
  })
  return { machine, rows }
}

function quoted(value: string | number | null): string {
  if (value === null || Number.isNaN(value)) return ''
  const text = String(value)
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function cells(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quotedText, plain]) => quotedText?.replaceAll('""', '"') ?? plain!,
  )
}

function parsed(text: string): string | number | null {
  if (text === '') return null
  const number = Number(text)
  return Number.isNaN(number) ? text : number
}

/** A number with so many digits that count. */
export function digits(value: number, count = 4): number {
  return Number(value.toPrecision(count))
}
