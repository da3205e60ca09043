import type { EpochMetrics, RunMetrics, StepMetrics } from './metrics.js'
import type { Plot, Point, Series } from './plot.js'

/** Colours that people who see few of them tell apart (Okabe and Ito 2008), and a pale one for what scatters. */
export const COLOURS = {
  blue: '#0072b2',
  orange: '#d55e00',
  green: '#009e73',
  pink: '#cc79a7',
  pale: '#b9d4e6',
} as const

/** More points than pixels show nothing more. */
const MOST_POINTS = 800

/** A plot with the name of the file that it is kept in. */
export interface NamedPlot {
  readonly file: string
  readonly plot: Plot
}

/** Loss, accuracy and learning rate of a run over its epochs. */
export function curves(run: RunMetrics): NamedPlot[] {
  const domain = [0, lastEpoch(run)] as const
  const x = { title: 'epochs', domain }
  return [
    { file: 'loss.svg', plot: { title: 'Loss', x, y: lossAxis(run), series: losses(run) } },
    {
      file: 'accuracy.svg',
      plot: { title: 'Accuracy', x, y: { title: 'right answers (%)' }, series: accuracies(run) },
    },
    {
      file: 'learning-rate.svg',
      plot: { title: 'Learning rate', x, y: rateAxis(run), series: rates(run) },
    },
  ].filter(({ plot }) => plot.series.some(({ points }) => points.length > 0))
}

/** The first validations may be off by powers of ten, while batch norm has seen little; they do not set the scale. */
function lossAxis({ steps, epochs }: RunMetrics): Plot['y'] {
  const training = [...steps.map(({ loss }) => loss), ...epochs.map(({ train }) => train.loss)]
  const limit = 1.5 * training.reduce((a, b) => Math.max(a, b), 0)
  const beyond = epochs.some(({ validation }) => (validation?.loss ?? 0) > limit)
  return { title: 'loss (nats)', ...(beyond ? { domain: [0, limit] } : {}) }
}

function losses({ steps, epochs }: RunMetrics): Series[] {
  return [
    faint('single batches', average(over(steps, ({ loss }) => loss))),
    line(
      'training',
      COLOURS.blue,
      perEpoch(epochs, ({ train }) => train.loss),
    ),
    line(
      'validation',
      COLOURS.orange,
      perEpoch(epochs, ({ validation }) => validation?.loss),
    ),
  ]
}

function accuracies({ steps, epochs }: RunMetrics): Series[] {
  return [
    faint('training, epoch so far', average(over(steps, ({ accuracy }) => percent(accuracy)))),
    line(
      'training, top-1',
      COLOURS.blue,
      perEpoch(epochs, ({ train }) => percent(train.top1)),
    ),
    line(
      'validation, top-1',
      COLOURS.orange,
      perEpoch(epochs, ({ validation }) => percent(validation?.top1)),
    ),
    {
      ...line(
        'validation, top-5',
        COLOURS.green,
        perEpoch(epochs, ({ validation }) => percent(validation?.top5)),
      ),
      line: 'dashed',
    },
  ]
}

function rates({ steps, epochs }: RunMetrics): Series[] {
  const points = steps.length > 0 ? over(steps, ({ lr }) => lr) : perEpoch(epochs, ({ lr }) => lr)
  return [{ name: 'learning rate', colour: COLOURS.blue, points: thinned(corners(points)) }]
}

/** Rates that fall by orders of magnitude are told apart on a logarithmic axis only. */
function rateAxis({ steps, epochs }: RunMetrics): Plot['y'] {
  const all = (steps.length > 0 ? steps : epochs).map(({ lr }) => lr)
  const least = all.reduce((a, b) => Math.min(a, b), Infinity)
  const most = all.reduce((a, b) => Math.max(a, b), 0)
  const logarithmic = least > 0 && most >= 20 * least
  return { title: 'learning rate', ...(logarithmic ? { logarithmic } : { zero: true }) }
}

function faint(name: string, points: readonly Point[]): Series {
  return { name, points, colour: COLOURS.pale, line: 'faint' }
}

function line(name: string, colour: string, points: readonly Point[]): Series {
  return { name, points, colour, dots: points.length <= 60 }
}

function over(steps: readonly StepMetrics[], value: (step: StepMetrics) => number | null): Point[] {
  return steps.flatMap((step) => {
    const y = value(step)
    return y === null ? [] : [[step.epoch - 1 + step.step / step.steps, y] as const]
  })
}

/** What is measured over an epoch stands at its end. */
function perEpoch(
  epochs: readonly EpochMetrics[],
  value: (epoch: EpochMetrics) => number | null | undefined,
): Point[] {
  return epochs.flatMap((metrics) => {
    const y = value(metrics)
    return y === null || y === undefined ? [] : [[metrics.epoch, y] as const]
  })
}

/** Means of neighbours, so few that they can be drawn. */
function average(points: readonly Point[]): Point[] {
  const size = Math.ceil(points.length / MOST_POINTS)
  if (size <= 1) return [...points]
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const some = points.slice(i * size, (i + 1) * size)
    const mean = (of: 0 | 1) => some.reduce((sum, point) => sum + point[of], 0) / some.length
    return [mean(0), mean(1)]
  })
}

/** Without the points in the middle of level stretches: means would blunt a schedule's edges. */
function corners(points: readonly Point[]): Point[] {
  return points.filter(([, y], i) => y !== points[i - 1]?.[1] || y !== points[i + 1]?.[1])
}

function thinned(points: readonly Point[]): Point[] {
  const size = Math.ceil(points.length / MOST_POINTS)
  return points.filter((_, i) => i % size === 0 || i === points.length - 1)
}

function lastEpoch({ steps, epochs }: RunMetrics): number {
  const step = steps.at(-1)
  const under = step ? step.epoch - 1 + step.step / step.steps : 0
  return Math.max(under, epochs.at(-1)?.epoch ?? 0)
}

function percent(share: number | null | undefined): number | null {
  return share === null || share === undefined ? null : 100 * share
}
