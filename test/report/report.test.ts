import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { drawPlot, writeReport } from '../../ts/report/index.js'
import { html } from '../../ts/report/html.js'
import { epoch, runFolder, start, step, wholeRun } from './run.js'

test('a page that needs nothing else, and a file a plot', async () => {
  const folder = await runFolder([start, ...wholeRun])
  const { page, plots } = await writeReport(folder)
  expect(page).toBe(join(folder, 'report.html'))
  expect(plots.map((path) => basename(path))).toEqual(['loss.svg', 'accuracy.svg', 'learning-rate.svg'])
  const text = await readFile(page, 'utf8')
  // Nothing that a browser would fetch or run; the names of namespaces are no addresses.
  expect(text.replaceAll(/xmlns(:\w+)?="[^"]*"/g, '')).not.toMatch(/https?:|src=|href=|@import|url\(|<script/)
  expect(text.match(/<svg/g)).toHaveLength(3)
  for (const word of ['resnet20', '269,722', '3 min 5 s', '3: 90.00 % right', 'a CPU &#60;of ours&#62;'])
    expect(text).toContain(word)
  for (const path of plots) {
    const { format, width } = await sharp(path).metadata()
    expect(format).toBe('svg')
    expect(width).toBeGreaterThan(640)
  }
})

test('axes have titles and units, the legend names every line', async () => {
  const { plots } = await writeReport(await runFolder([start, ...wholeRun]))
  const [loss, accuracy, rate] = await Promise.all(plots.map((path) => readFile(path, 'utf8')))
  for (const word of ['epochs', 'loss (nats)', 'single batches', 'training', 'validation'])
    expect(loss).toContain(`>${word}<`)
  for (const word of ['right answers (%)', 'validation, top-5']) expect(accuracy).toContain(`>${word}<`)
  expect(rate).toContain('>learning rate<')
})

test('a run without validation, and one in its first epoch', async () => {
  const bare = { ...epoch(1, 1, 0), validation: null }
  const { plots } = await writeReport(await runFolder([step(1, 1, 2), bare]))
  expect(await readFile(plots[1]!, 'utf8')).not.toContain('validation')
  expect((await writeReport(await runFolder([step(1, 1, 2), step(1, 2, 1)]))).plots).toHaveLength(3)
})

test('nothing measured yet', async () => {
  await expect(writeReport(await runFolder([start]))).rejects.toThrow(/holds no measurement yet/)
})

/** How many pixels have about this colour. */
async function pixels(svg: string, [r, g, b]: readonly [number, number, number]): Promise<number> {
  const { data, info } = await sharp(Buffer.from(svg))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  let found = 0
  for (let i = 0; i < data.length; i += info.channels)
    if (Math.abs(data[i]! - r) + Math.abs(data[i + 1]! - g) + Math.abs(data[i + 2]! - b) < 60) found++
  return found
}

test('lines are drawn where the points are', async () => {
  const plot = (y: number) =>
    drawPlot({
      title: 'One line',
      x: { title: 'x' },
      y: { title: 'y', domain: [0, 10] },
      series: [
        { name: 'level', colour: '#ff0000', points: [[0, y], [1, y]] }, // prettier-ignore
        { name: 'other', colour: '#0000ff', points: [[0, 5], [1, 5]] }, // prettier-ignore
        { name: 'empty', colour: '#00ff00', points: [] },
      ],
    })
  const apart = await plot(2)
  expect(apart).not.toContain('>empty<')
  expect(await pixels(apart, [255, 0, 0])).toBeGreaterThan(600)
  expect(await pixels(apart, [0, 0, 255])).toBeGreaterThan(600)
  // Under the other line only its entry in the legend is left.
  expect(await pixels(await plot(5), [255, 0, 0])).toBeLessThan(300)
})

test('text is escaped, markup is not', () => {
  const name = `<a href="x">&'`
  const rows = ['1', '<'].map((cell) => html`<i>${cell}</i>`)
  const { text } = html`<b title="${name}">${rows}</b>`
  expect(text.replaceAll(/\s*\n\s*/g, '')).toBe(
    '<b title="&#60;a href=&#34;x&#34;&#62;&#38;&#39;"><i>1</i><i>&#60;</i></b>',
  )
})
