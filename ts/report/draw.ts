import type { Axis, Legend, Scale, Spec, Title } from 'vega'

/** What one axis shows. */
export interface AxisOptions {
  /** With the unit. */
  readonly title: string
  readonly logarithmic?: boolean
  /** Whether the axis starts at zero. Default false. */
  readonly zero?: boolean
  /** Where the axis begins and ends; lines are cut off there. Default: where the points do, rounded. */
  readonly domain?: readonly [number, number]
  /** A number format of d3. */
  readonly format?: string
  /** Whether only whole numbers are labelled. Default false. */
  readonly whole?: boolean
}

const INK = '#333'
const MUTED = '#666'
const GRID = '#e5e5e5'
const FONT = 'system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif'

/** A picture as SVG. The library is loaded here: nothing else needs it. */
export async function draw(specification: Spec): Promise<string> {
  const vega = await import('vega')
  const view = new vega.View(vega.parse(specification), { renderer: 'none', logLevel: vega.Error })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

export function heading(text: string): Title {
  return { text, font: FONT, anchor: 'start', color: INK, fontSize: 15, fontWeight: 600, offset: 10 }
}

export function ordinal(name: string, domain: readonly string[], range: readonly unknown[]): Scale {
  return { name, type: 'ordinal', domain: [...domain], range: [...range] as string[] }
}

/** Names side by side above the plot; `symbols` says how their marks look. */
export function legend(width: number, names: readonly string[], symbols: Legend): Legend {
  // So many as fit side by side; a letter is about 6 pixels wide.
  const widest = Math.max(0, ...names.map((name) => name.length)) * 6 + 80
  return {
    ...symbols,
    orient: 'top',
    direction: 'horizontal',
    columns: Math.max(1, Math.min(names.length, Math.floor(width / widest))),
    columnPadding: 18,
    labelFont: FONT,
    labelFontSize: 12,
    labelColor: INK,
    labelLimit: 0,
  }
}

export function axis(
  orient: 'bottom' | 'left',
  name: 'x' | 'y',
  { title, format, logarithmic, whole }: AxisOptions,
  ticks: number,
): Axis {
  return {
    orient,
    scale: name,
    title,
    // Decades alone are labelled well.
    tickCount: logarithmic ? 3 : ticks,
    format: format ?? '~r',
    ...(whole ? { tickMinStep: 1 } : {}),
    grid: true,
    gridColor: GRID,
    domainColor: MUTED,
    tickColor: MUTED,
    tickSize: 4,
    labelFont: FONT,
    labelFontSize: 12,
    labelColor: INK,
    labelPadding: 6,
    labelOverlap: true,
    titleFont: FONT,
    titleFontSize: 13,
    titleFontWeight: 'normal',
    titleColor: INK,
    titlePadding: 12,
  }
}
