import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { progressBar } from '../../ts/cli/progress.js'

/** Standard error as a program sees it, and what came out. */
function screen(isTTY: boolean): { stream: NodeJS.WriteStream; text: () => string } {
  const through = new PassThrough()
  const parts: Buffer[] = []
  through.on('data', (part: Buffer) => parts.push(part))
  const stream = Object.assign(through, { isTTY, columns: 100 }) as unknown as NodeJS.WriteStream
  return { stream, text: () => Buffer.concat(parts).toString() }
}

describe('progressBar', () => {
  it('writes a single line where there is no terminal', () => {
    const { stream, text } = screen(false)
    const bar = progressBar('resnet50', stream)
    for (const received of [0, 50_000_000, 97_800_000]) bar.onProgress(received, 97_800_000)
    bar.stop()
    expect(text()).toBe('resnet50 (97.8 MB)\n')
  })

  it('shows title, share and size on a terminal', () => {
    const { stream, text } = screen(true)
    const bar = progressBar('resnet50', stream)
    bar.onProgress(0, 97_800_000)
    bar.onProgress(97_800_000, 97_800_000)
    bar.stop()
    expect(text()).toContain('resnet50')
    expect(text()).toContain('100% of 97.8 MB')
  })

  it('counts bytes when the length is not known', () => {
    const { stream, text } = screen(true)
    const bar = progressBar('net', stream)
    bar.onProgress(1000, undefined)
    bar.onProgress(3000, undefined)
    bar.stop()
    expect(text()).toContain('3.0 kB')
  })

  it('is silent when nothing was fetched', () => {
    for (const isTTY of [false, true]) {
      const { stream, text } = screen(isTTY)
      progressBar('net', stream).stop()
      expect(text()).toBe('')
    }
  })
})
