import { duration } from './duration.js'
import { html, Markup } from './html.js'
import type { EpochMetrics, RunMetrics } from './metrics.js'

const STYLE = new Markup(`
  body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
    color: #333; background: white; max-width: 760px; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.5rem; font-weight: 600; margin-bottom: 0.25rem }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums }
  th, td { text-align: right; padding: 0.15rem 0.9rem 0.15rem 0 }
  th { font-weight: 600; border-bottom: 1px solid #ccc }
  .facts th { text-align: left; border: 0 }
  .facts td { text-align: left }
  .best { font-weight: 600 }
  figure { margin: 2rem 0 }
  figure svg { width: 100%; height: auto }
  summary { cursor: pointer }
`)

/** A page that shows a run; all that it needs is in it. */
export function reportPage(title: string, run: RunMetrics, svgs: readonly string[]): string {
  const figures = svgs.map((svg) => html`<figure>${new Markup(svg)}</figure>`)
  return html`<!doctype html>
    <html lang="en">
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width" />
      <title>${title}</title>
      <style>
        ${STYLE}
      </style>
      <h1>${title}</h1>
      <table class="facts">
        ${facts(run).map(
          ([name, value]) =>
            html`<tr>
              <th>${name}</th>
              <td>${value}</td>
            </tr>`,
        )}
      </table>
      ${figures}
      <details>
        <summary>Every epoch</summary>
        <table>
          <tr>
            <th>epoch</th>
            <th>training loss</th>
            <th>top-1</th>
            <th>validation loss</th>
            <th>top-1</th>
            <th>top-5</th>
            <th>learning rate</th>
            <th>seconds</th>
          </tr>
          ${run.epochs.map(row)}
        </table>
      </details>
    </html> `.text
}

function facts({ network, device, parameters, epochs }: RunMetrics): (readonly [string, string])[] {
  const best = epochs.findLast((epoch) => epoch.best)
  const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0)
  const known: (readonly [string, string | null])[] = [
    ['network', network],
    ['parameters', parameters === null ? null : parameters.toLocaleString('en')],
    ['device', device],
    ['epochs', epochs.length === 0 ? null : `${epochs.length} in ${duration(seconds)}`],
    ['best epoch', best ? `${best.epoch}${describe(best)}` : null],
  ]
  return known.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]))
}

function describe({ validation }: EpochMetrics): string {
  return validation ? `: ${percent(validation.top1)} % right in validation` : ''
}

function row({ epoch, train, validation, lr, seconds, best }: EpochMetrics): Markup {
  const cells = [
    epoch,
    train.loss.toFixed(4),
    `${percent(train.top1)} %`,
    validation?.loss?.toFixed(4) ?? '',
    validation ? `${percent(validation.top1)} %` : '',
    validation ? `${percent(validation.top5)} %` : '',
    Number(lr.toPrecision(4)),
    seconds.toFixed(1),
  ]
  return html`<tr${new Markup(best ? ' class="best"' : '')}>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`
}

function percent(share: number): string {
  return (100 * share).toFixed(2)
}
