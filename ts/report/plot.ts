import type { Mark, Scale, Spec } from 'vega'
import { axis, draw, heading, legend, ordinal, type AxisOptions } from './draw.js'

const DASHES = [5, 3]

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

/** The plot as SVG. */
export function drawPlot(plot: Plot): Promise<string> {
  return draw(specification(plot))
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
    legends: [
      legend(width, names, {
        stroke: 'colour',
        strokeDash: 'dash',
        symbolType: 'stroke',
        symbolStrokeWidth: 2.5,
        symbolSize: 400,
      }),
    ],
    marks: drawn.flatMap((one) => marks(one, y.domain !== undefined)),
  }
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
