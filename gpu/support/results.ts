import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Row } from './row.js'
import { rehearsal } from './target.js'

/** A row with the stage that it belongs to. */
export interface Result extends Row {
  readonly stage: string
}

const COLUMNS = ['stage', 'check', 'name', 'mode', 'status', 'values', 'note'] as const

/** All that a run of the suite finds out, written down as it comes. */
export class Results {
  readonly rows: Result[] = []
  private readonly tables = new Set<string>()

  constructor(readonly folder: string) {
    mkdirSync(folder, { recursive: true })
  }

  add(stage: string, found: Row): void {
    const row = cut(found)
    const result = { stage, ...row }
    this.rows.push(result)
    appendFileSync(join(this.folder, 'results.jsonl'), `${JSON.stringify(result)}\n`)
    const values = Object.entries(row.values ?? {})
      .map(([name, value]) => `${name}=${value ?? ''}`)
      .join(' ')
    this.line('results.csv', COLUMNS, { ...result, values })
    const sign = { pass: 'ok  ', fail: 'FAIL', skip: 'skip', info: '    ' }[row.status]
    const note = row.note ? `: ${shortened(row.note, 400)}` : ''
    console.log(
      `${sign} ${stage} ${row.check} ${row.name} ${row.mode ?? ''} ${shortened(values, 160)}${note}`,
    )
  }

  /** Appends a line to a CSV file, with its head where this run has not written to it yet. */
  line(file: string, columns: readonly string[], row: Readonly<Record<string, unknown>>): void {
    const head = this.tables.has(file) ? '' : `${columns.join(',')}\n`
    this.tables.add(file)
    appendFileSync(
      join(this.folder, file),
      `${head}${columns.map((name) => cell(withoutSpeeds(row)[name])).join(',')}\n`,
    )
  }

  log(text: string): void {
    appendFileSync(join(this.folder, 'log.txt'), text)
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text)
  }
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""').replaceAll('\n', ' / ')}"` : text
}

function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 3)}...` : text
}

/** Results must be small enough to be carried away. */
function cut({ values, note, ...row }: Row): Row {
  return {
    ...row,
    ...(values ? { values: withoutSpeeds(values) } : {}),
    ...(note === undefined ? {} : { note: shortened(note, 3000) }),
  }
}

const SPEED = /ms$|second|ratio$|GBps|TFLOPs/i

/** What a rehearsal measures is no speed of anything. */
function withoutSpeeds<T>(values: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  if (!rehearsal) return values
  return Object.fromEntries(Object.entries(values).filter(([name]) => !SPEED.test(name)))
}
