import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** The folder of a run that was never trained, with the given lines as its metrics; removed after the test. */
export async function runFolder(lines: readonly (object | string)[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fovea-report-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const text = lines.map((line) => (typeof line === 'string' ? line : `${JSON.stringify(line)}\n`)).join('')
  await writeFile(join(folder, 'metrics.jsonl'), text)
  return folder
}

export const start = {
  kind: 'start',
  network: 'resnet20',
  device: 'a CPU <of ours>',
  parameters: 269722,
  steps: 4,
  epochs: 3,
}

export function step(epoch: number, at: number, loss: number, lr = 0.1) {
  return { kind: 'step', epoch, step: at, steps: 4, loss, accuracy: 0.5, lr }
}

export function epoch(number: number, loss: number, top1: number, best = false) {
  const validation = { loss: loss + 0.1, top1, top5: 0.9 }
  return {
    kind: 'epoch',
    epoch: number,
    train: { loss, top1: 0.4 },
    validation,
    lr: 0.1,
    seconds: 61.5,
    best,
  }
}

/** Three epochs of four steps. */
export const wholeRun = [1, 2, 3].flatMap((number) => [
  ...[1, 2, 3, 4].map((at) => step(number, at, 3 / (4 * number + at), 0.1 ** number)),
  epoch(number, 1 / number, 0.3 * number, true),
])
