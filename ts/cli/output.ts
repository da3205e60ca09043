import pc from 'picocolors'

/** picocolors' own test takes a continuous integration for a terminal; a pipe is none. */
export function colours(stream: { readonly isTTY?: boolean }): ReturnType<typeof pc.createColors> {
  return pc.createColors(stream.isTTY === true && pc.isColorSupported && process.env.TERM !== 'dumb')
}

/** Writes lines to standard output. */
export function print(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}

/** Writes one JSON document to standard output. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

/** How a column is laid out. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Lines of a table; the titles are left out when all are empty. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const titles = columns.map(({ title }) => title)
  const titled = titles.some((title) => title !== '')
  const widths = columns.map((_, i) =>
    Math.max(...[...(titled ? [titles] : []), ...rows].map((row) => row[i]!.length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (columns[i]!.align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd()
  const { bold } = colours(process.stdout)
  return [...(titled ? [bold(line(titles))] : []), ...rows.map(line)]
}

/** `25,557,032` */
export function count(n: number): string {
  return Math.round(n).toLocaleString('en')
}

/** `75.4 %` */
export function percent(fraction: number, digits = 1): string {
  return `${(100 * fraction).toFixed(digits)} %`
}
