import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Row } from './row.js'

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

  add(stage: string, row: Row): void {
    const result = { stage, ...row }
    this.rows.push(result)
    appendFileSync(join(this.folder, 'results.jsonl'), `${JSON.stringify(result)}\n`)
    const values = Object.entries(row.values ?? {})
      .map(([name, value]) => `${name}=${value ?? ''}`)
      .join(' ')
    this.line('results.csv', COLUMNS, { ...result, values })
    const sign = { pass: 'ok  ', fail: 'FAIL', skip: 'skip', info: '    ' }[row.status]
    const note = row.note ? `: ${row.note}` : ''
    console.log(`${sign} ${stage} ${row.check} ${row.name} ${row.mode ?? ''} ${shortened(values)}${note}`)
  }

  /** Appends a line to a CSV file, with its head where this run has not written to it yet. */
  line(file: string, columns: readonly string[], row: Readonly<Record<string, unknown>>): void {
    const head = this.tables.has(file) ? '' : `${columns.join(',')}\n`
    this.tables.add(file)
    appendFileSync(join(this.folder, file), `${head}${columns.map((name) => cell(row[name])).join(',')}\n`)
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

function shortened(text: string): string {
  return text.length > 160 ? `${text.slice(0, 157)}...` : text
}
