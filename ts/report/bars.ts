import type { Spec } from 'vega'
import { axis, draw, heading, legend, ordinal, type AxisOptions } from './draw.js'

/** A bar from one place across to another, as high as it says. */
export interface Bar {
  readonly from: number
  readonly to: number
  readonly height: number
  /** What the legend says of its colour. */
  readonly name: string
}

/** Bars of their own widths over two axes that start at zero, with a legend. */
export interface BarPlot {
  readonly title: string
  readonly x: AxisOptions
  readonly y: AxisOptions
  readonly bars: readonly Bar[]
  /** Names and colours, in the order of the legend. */
  readonly colours: ReadonlyMap<string, string>
  /** Of the area between the axes, in pixels. Default 960. */
  readonly width?: number
  /** Of the area between the axes, in pixels. Default 320. */
  readonly height?: number
}

/** The bars as SVG. */
export function drawBars({
  title,
  x,
  y,
  bars,
  colours,
  width = 960,
  height = 320,
}: BarPlot): Promise<string> {
  const names = [...colours.keys()]
  const specification: Spec = {
    width,
    height,
    padding: 12,
    background: 'white',
    title: heading(title),
    data: [{ name: 'bars', values: [...bars] }],
    scales: [
      { name: 'x', type: 'linear', range: 'width', zero: true, domain: { data: 'bars', field: 'to' } },
      { name: 'y', type: 'linear', range: 'height', nice: true, domain: { data: 'bars', field: 'height' } },
      ordinal('colour', names, [...colours.values()]),
    ],
    axes: [axis('bottom', 'x', x, Math.round(width / 80)), axis('left', 'y', y, Math.round(height / 50))],
    legends: [legend(width, names, { fill: 'colour', symbolType: 'square', symbolSize: 120 })],
    marks: [
      {
        type: 'rect',
        from: { data: 'bars' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'from' },
            x2: { scale: 'x', field: 'to' },
            y: { scale: 'y', field: 'height' },
            y2: { scale: 'y', value: 0 },
            fill: { scale: 'colour', field: 'name' },
          },
        },
      },
    ],
  }
  return draw(specification)
}
