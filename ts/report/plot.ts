import type { Axis, Legend, Mark, Scale, Spec, Title } from 'vega'

/** A line of a plot. */
export interface Series {
  /** What the legend says. */
  readonly name: string
  readonly points: readonly Point[]
  /** Any colour of CSS. */
  readonly colour: string
  /** `faint`: measurements that scatter, behind the lines that matter. Default `solid`. */
  readonly line?: 'solid' | 'dashed' | 'faint'
  /** Whether each point has a dot. Default false. */
  readonly dots?: boolean
}

/** Across and up. */
export type Point = readonly [x: number, y: number]

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

/** Lines over two axes, with a legend. */
export interface Plot {
  readonly title: string
  readonly x: AxisOptions
  readonly y: AxisOptions
  readonly series: readonly Series[]
  /** Of the area between the axes, in pixels. Default 640. */
  readonly width?: number
  /** Of the area between the axes, in pixels. Default 320. */
  readonly height?: number
}

const INK = '#333'
const MUTED = '#666'
const GRID = '#e5e5e5'
const DASHES = [5, 3]
const FONT = 'system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif'

/** The plot as SVG. The library is loaded here: nothing else needs it. */
export async function drawPlot(plot: Plot): Promise<string> {
  const vega = await import('vega')
  const view = new vega.View(vega.parse(specification(plot)), { renderer: 'none', logLevel: vega.Error })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

function specification({ title, x, y, series, width = 640, height = 320 }: Plot): Spec {
  const drawn = series.filter(({ points }) => points.length > 0)
  const names = drawn.map(({ name }) => name)
  const ticks = { x: Math.round(width / 80), y: Math.round(height / 50) }
  return {
    width,
    height,
    padding: 12,
    background: 'white',
    title: heading(title),
    data: drawn.map(({ name, points }) => ({ name, values: points.map(([px, py]) => ({ x: px, y: py })) })),
    scales: [
      scale('x', x, names, ticks.x),
      scale('y', y, names, ticks.y),
      ordinal(
        'colour',
        names,
        drawn.map(({ colour }) => colour),
      ),
      ordinal(
        'dash',
        names,
        drawn.map(({ line }) => (line === 'dashed' ? DASHES : [1, 0])),
      ),
    ],
    axes: [axis('bottom', 'x', x, ticks.x), axis('left', 'y', y, ticks.y)],
    legends: [legend(width, names)],
    marks: drawn.flatMap((one) => marks(one, y.domain !== undefined)),
  }
}

function heading(text: string): Title {
  return { text, font: FONT, anchor: 'start', color: INK, fontSize: 15, fontWeight: 600, offset: 10 }
}

function scale(
  name: 'x' | 'y',
  { logarithmic = false, zero = false, domain }: AxisOptions,
  series: readonly string[],
  ticks: number,
): Scale {
  const shared = {
    name,
    range: name === 'x' ? 'width' : 'height',
    domain: domain ? [...domain] : { fields: series.map((data) => ({ data, field: name })) },
    // Time ends where the measurements do.
    nice: domain === undefined && name === 'y' ? ticks : false,
  } as const
  return logarithmic ? { ...shared, type: 'log', nice: true } : { ...shared, type: 'linear', zero }
}

function ordinal(name: string, domain: readonly string[], range: readonly unknown[]): Scale {
  return { name, type: 'ordinal', domain: [...domain], range: [...range] as string[] }
}

function legend(width: number, names: readonly string[]): Legend {
  // So many as fit side by side; a letter is about 6 pixels wide.
  const widest = Math.max(0, ...names.map((name) => name.length)) * 6 + 80
  return {
    stroke: 'colour',
    strokeDash: 'dash',
    symbolType: 'stroke',
    symbolStrokeWidth: 2.5,
    symbolSize: 400,
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

function axis(
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

function marks({ name, colour, line = 'solid', dots = false }: Series, clip: boolean): Mark[] {
  const from = { data: name }
  const at = { x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' } } as const
  const faint = line === 'faint'
  const stroke = {
    stroke: { value: colour },
    strokeWidth: { value: faint ? 1 : 2 },
    strokeJoin: { value: 'round' },
    strokeDash: { value: line === 'dashed' ? DASHES : [] },
  } as const
  const path: Mark = { type: 'line', from, clip, encode: { enter: { ...at, ...stroke } } }
  if (!dots) return [path]
  const dot = { fill: { value: colour }, size: { value: 28 }, stroke: { value: 'white' } } as const
  return [path, { type: 'symbol', from, clip, encode: { enter: { ...at, ...dot } } }]
}
