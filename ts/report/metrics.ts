import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatasetError } from '../errors.js'
import { isJson, type Json } from '../io/json.js'

/** The file in a run's folder that the trainer appends to, one JSON object a line. */
export const METRICS_FILE = 'metrics.jsonl'

/** What is known after a step. */
export interface StepMetrics {
  /** From 1. */
  readonly epoch: number
  /** Within the epoch, from 1. */
  readonly step: number
  /** Steps an epoch. */
  readonly steps: number
  readonly loss: number
  /** Share of right answers in the epoch so far. */
  readonly accuracy: number | null
  readonly lr: number
}

/** What is known after an epoch. */
export interface EpochMetrics {
  /** From 1. */
  readonly epoch: number
  readonly train: { readonly loss: number; readonly top1: number }
  readonly validation: { readonly loss?: number; readonly top1: number; readonly top5: number } | null
  readonly lr: number
  readonly seconds: number
  readonly best: boolean
}

/** All that the metrics of a run say, each point once, in order. */
export interface RunMetrics {
  readonly network: string | null
  readonly device: string | null
  readonly parameters: number | null
  readonly steps: readonly StepMetrics[]
  readonly epochs: readonly EpochMetrics[]
}

/**
 * Reads what a run has measured. A run that was killed and resumed has measured some steps twice: the later
 * measurement counts. A line that was being written when the process died is left out.
 *
 * @throws DatasetError when the folder holds no metrics, or a line but the last is damaged
 */
export async function readMetrics(folder: string): Promise<RunMetrics> {
  const path = join(folder, METRICS_FILE)
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new DatasetError(`no metrics of a training run in ${folder}: ${(cause as Error).message}`, {
      subject: path,
      cause,
    })
  })
  return parseMetrics(text, path)
}

/** The metrics in the text of a file; `path` is for messages. */
export function parseMetrics(text: string, path: string): RunMetrics {
  let start: Json = {}
  const steps = new Map<string, StepMetrics>()
  const epochs = new Map<number, EpochMetrics>()
  const lines = text.split('\n')
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue
    const entry = parseLine(line)
    if (entry === null) {
      if (i === lines.length - 1) break
      throw new DatasetError(`${path}: line ${i + 1} is no JSON object`, { subject: path })
    }
    if (entry.kind === 'start') start = entry
    const step = asStep(entry)
    if (step) steps.set(`${step.epoch}/${step.step}`, step)
    const epoch = asEpoch(entry)
    if (epoch) epochs.set(epoch.epoch, epoch)
  }
  return {
    network: typeof start.network === 'string' ? start.network : null,
    device: typeof start.device === 'string' ? start.device : null,
    parameters: number(start.parameters),
    steps: [...steps.values()].sort((a, b) => a.epoch - b.epoch || a.step - b.step),
    epochs: [...epochs.values()].sort((a, b) => a.epoch - b.epoch),
  }
}

function parseLine(line: string): Json | null {
  try {
    const value: unknown = JSON.parse(line)
    return isJson(value) ? value : null
  } catch {
    return null
  }
}

/** Losses that are not finite are null in JSON; such points cannot be drawn. */
function asStep(entry: Json): StepMetrics | null {
  const [epoch, step, steps] = [number(entry.epoch), number(entry.step), number(entry.steps)]
  const [loss, lr] = [number(entry.loss), number(entry.lr)]
  if (entry.kind !== 'step' || epoch === null || step === null || steps === null) return null
  if (loss === null || lr === null) return null
  return { epoch, step, steps, loss, lr, accuracy: number(entry.accuracy) }
}

function asEpoch(entry: Json): EpochMetrics | null {
  const { train, validation } = entry
  const [epoch, lr] = [number(entry.epoch), number(entry.lr)]
  if (entry.kind !== 'epoch' || epoch === null || lr === null || !isJson(train)) return null
  const [loss, top1] = [number(train.loss), number(train.top1)]
  if (loss === null || top1 === null) return null
  const rest = { lr, seconds: number(entry.seconds) ?? 0, best: entry.best === true }
  return { epoch, train: { loss, top1 }, validation: asValidation(validation), ...rest }
}

function asValidation(value: unknown): EpochMetrics['validation'] {
  if (!isJson(value)) return null
  const [loss, top1, top5] = [number(value.loss), number(value.top1), number(value.top5)]
  if (top1 === null || top5 === null) return null
  return { ...(loss === null ? {} : { loss }), top1, top5 }
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
