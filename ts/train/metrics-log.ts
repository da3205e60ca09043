import { open, readFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { writePieces, writing } from '../io/write-pieces.js'
import { isJson } from '../io/json.js'
import type { TrainerEvent } from './events.js'

/** What a training has measured, a JSON object a line: its events, of the steps some two hundred an epoch. */
export const METRICS_FILE = 'metrics.jsonl'

const STEPS_AN_EPOCH = 200

/** Appends to {@link METRICS_FILE}. */
export class MetricsLog {
  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /**
   * Begins the file anew or, where a training goes on, behind what it had measured until there.
   * @throws WriteError when it cannot be written
   */
  static async open(
    folder: string,
    resumedAt: { readonly epoch: number; readonly step: number } | undefined,
  ): Promise<MetricsLog> {
    const path = join(folder, METRICS_FILE)
    const kept = resumedAt ? await linesUntil(path, resumedAt) : ''
    await writePieces(path, (append) => append(Buffer.from(kept)))
    return new MetricsLog(path, await writing(path, () => open(path, 'a')))
  }

  /** @throws WriteError when it cannot be written */
  async write(event: TrainerEvent): Promise<void> {
    if (event.kind === 'step' && !isKept(event)) return
    await writing(this.path, () => this.handle.appendFile(`${JSON.stringify(event)}\n`))
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

function isKept({ step, steps }: { readonly step: number; readonly steps: number }): boolean {
  return step % Math.ceil(steps / STEPS_AN_EPOCH) === 0 || step === steps
}

/** What was measured after the last state was saved is measured again; a torn last line goes with it. */
async function linesUntil(path: string, at: { epoch: number; step: number }): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const isBefore = (line: string): boolean => {
    let event: unknown
    try {
      event = JSON.parse(line)
    } catch {
      return false
    }
    if (!isJson(event)) return false
    const { kind } = event
    const [epoch, step] = [Number(event.epoch), Number(event.step)]
    if (kind === 'step') return epoch <= at.epoch || (epoch === at.epoch + 1 && step <= at.step)
    if (kind === 'epoch') return epoch <= at.epoch
    return true
  }
  const lines = text.split('\n').filter((line) => line !== '' && isBefore(line))
  return lines.map((line) => `${line}\n`).join('')
}
