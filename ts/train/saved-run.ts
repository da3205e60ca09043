import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { malformed } from '../io/checkpoint-error.js'
import { openCheckpoint, type Checkpoint } from '../io/checkpoint.js'
import { isJson } from '../io/json.js'
import { writeSafetensors, type SafetensorsEntry } from '../io/safetensors.js'
import { writing } from '../io/write-pieces.js'
import type { Model } from '../model/model.js'
import type { TrainingStep } from '../model/step.js'
import type { KernelChoices } from '../runtime/tuning-cache.js'
import { tensor, type Tensor } from '../tensor.js'
import type { Best } from './events.js'
import type { Identity } from './identity.js'
import type { ScheduleState } from './schedule.js'

/** Where a training stands. */
export interface Progress {
  /** Whole epochs that are done. */
  readonly epoch: number
  /** Steps of the next epoch that are done. */
  readonly step: number
  /** Sums over these steps: of the losses, and of the right answers. */
  readonly loss: number
  readonly correct: number
  /** Time of this epoch. */
  readonly seconds: number
  /** Updates in a row that were left out, a gradient not being finite. */
  readonly left: number
  readonly schedule: ScheduleState
  readonly best: Best | null
}

/** All of a training that is no tensor. */
export interface SavedRun {
  readonly identity: Identity
  /** Digests of the kernels of the parts of the training that were begun. */
  readonly kernels: readonly string[]
  /** The choices among kernels that make them so. */
  readonly choices: KernelChoices
  /** Counters of the step, from which its random numbers follow. */
  readonly updates: number
  readonly batches: number
  readonly progress: Progress
}

/** The file from which a training goes on. */
export const STATE_FILE = 'state.safetensors'

const KEY = 'fovea.training'
const VERSION = 2

/**
 * Makes the folder of a training.
 * @throws WriteError when it cannot be made
 */
export async function makeFolder(folder: string): Promise<void> {
  await writing(folder, () => mkdir(folder, { recursive: true }), 'cannot be made')
}

/** Whether a folder holds a training that can go on. */
export async function holdsRun(folder: string): Promise<boolean> {
  return (await stat(join(folder, STATE_FILE)).catch(() => undefined)) !== undefined
}

/**
 * Writes all that is needed to go on into one file, which takes the place of the last one when it is whole: weights
 * under their names, beside them the state of the optimizer under `kind/name`.
 *
 * @throws WriteError when it cannot be written; the last one is still there then
 */
export async function saveRun(
  folder: string,
  model: Model<'logits', string>,
  step: TrainingStep,
  run: SavedRun,
): Promise<void> {
  const entries: SafetensorsEntry[] = model.parameters.map(({ name, shape, role }) =>
    role === 'counter'
      ? { name, shape, dtype: 'i64', data: BigInt64Array.of(model.weights.counter(name)) }
      : { name, shape, dtype: 'f32', data: () => model.weights.get(name) },
  )
  for (const [name, { shape, data }] of await step.state()) entries.push({ name, shape, dtype: 'f32', data })
  const metadata = { format: 'pt', model: model.name, [KEY]: JSON.stringify({ version: VERSION, ...run }) }
  await writeSafetensors(join(folder, STATE_FILE), entries, metadata)
}

/** An open file of {@link saveRun}. */
export class SavedRunFile {
  private constructor(
    readonly path: string,
    readonly run: SavedRun,
    private readonly checkpoint: Checkpoint,
  ) {}

  /** @throws CheckpointError when it is damaged, or no state of a training */
  static async open(folder: string): Promise<SavedRunFile> {
    const path = join(folder, STATE_FILE)
    const checkpoint = await openCheckpoint(path)
    try {
      return new SavedRunFile(path, parse(path, checkpoint.metadata.get(KEY)), checkpoint)
    } catch (error) {
      await checkpoint.close()
      throw error
    }
  }

  /** Puts weights and optimizer back as they were. */
  async restore(model: Model<'logits', string>, step: TrainingStep): Promise<void> {
    const { tensors } = this.checkpoint
    const state = new Map<string, Tensor>()
    for (const [name, saved] of tensors)
      if (name.includes('/')) state.set(name, tensor(await saved.read(), saved.shape))
    await step.restore(state, this.run)
    await model.weights.load({
      ...this.checkpoint,
      tensors: new Map([...tensors].filter(([name]) => !name.includes('/'))),
    })
  }

  async close(): Promise<void> {
    await this.checkpoint.close()
  }
}

function parse(path: string, text: string | undefined): SavedRun {
  let value: unknown
  try {
    value = JSON.parse(text ?? 'null')
  } catch {
    // Told below.
  }
  if (!isJson(value)) throw malformed(path, 'is not the state of a training')
  if (value.version !== VERSION)
    throw malformed(path, 'is of another version', { expected: String(VERSION), got: String(value.version) })
  return value as unknown as SavedRun
}
