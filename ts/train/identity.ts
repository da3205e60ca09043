import { createHash } from 'node:crypto'
import type { Precision } from '../compile/precision.js'
import type { Dataset } from '../data/datasets/dataset.js'
import type { Preprocessing } from '../data/preprocessing.js'
import { CheckpointError } from '../errors.js'
import { excerpt, isJson } from '../io/json.js'
import type { Model } from '../model/model.js'
import type { Device } from '../runtime/device.js'
import type { ScheduleEntry } from '../runtime/native.js'
import type { Recipe } from './recipe.js'
import { dependsOnLength } from './schedule.js'
import type { TrainerOptions } from './trainer.js'

/** All that decides the bits of a training: it goes on only where this is the same. */
export interface Identity {
  readonly network: { readonly name: string; readonly classes: number; readonly parameters: string }
  readonly recipe: Recipe
  /** Null where the schedule does not look ahead: such a training may be made longer. */
  readonly epochs: number | null
  readonly data: DatasetIdentity
  readonly validation: DatasetIdentity | null
  readonly preprocessing: Preprocessing
  readonly batch: number
  readonly seed: number
  readonly onCorrupt: string
  /** Absent where it is float32. */
  readonly precision?: Precision
  readonly freeze: { readonly patterns: readonly string[]; readonly epochs: number } | null
  /** What the device is, with its number of threads. */
  readonly device: string
}

interface DatasetIdentity {
  readonly name: string
  readonly size: number
  readonly classes: string
  readonly labels: string
}

/** The identity of a training with all its options settled. */
export function identityOf(
  options: TrainerOptions,
  settled: {
    readonly epochs: number
    readonly batch: number
    readonly seed: number
    readonly precision: Precision
    readonly preprocessing: Preprocessing
  },
): Identity {
  const { model, device, recipe, freeze, validation } = options
  return {
    network: networkIdentity(model),
    recipe,
    epochs: dependsOnLength(recipe.schedule) ? settled.epochs : null,
    data: datasetIdentity(options.train),
    validation: validation ? datasetIdentity(validation) : null,
    preprocessing: settled.preprocessing,
    batch: settled.batch,
    seed: settled.seed,
    onCorrupt: options.onCorrupt ?? 'fail',
    ...(settled.precision !== 'f32' && { precision: settled.precision }),
    freeze: freeze ? { patterns: freeze.patterns.map(String), epochs: freeze.epochs } : null,
    device: deviceIdentity(device),
  }
}

function networkIdentity(model: Model<'logits', string>): Identity['network'] {
  const { name, classes } = model.info
  return { name, classes, parameters: digest(model.parameters.map((p) => [p.name, p.shape])) }
}

function datasetIdentity(dataset: Dataset): DatasetIdentity {
  const { name, size, classes } = dataset
  const labels = Uint32Array.from({ length: size }, (_, index) => dataset.label(index))
  return { name, size, classes: digest(classes), labels: digest(labels) }
}

/** Why a device was chosen does not matter. */
function deviceIdentity({ description }: Device): string {
  return description.replace(/ \(chosen: .*\)$/, '')
}

/** What a program's kernels and their layouts are, on which the order of its sums depends. */
export function kernelsDigest(schedule: readonly ScheduleEntry[]): string {
  return digest(
    schedule.map(({ phase, op, path, implementation, inputs, outputs }) => [
      phase,
      op,
      path,
      implementation,
      inputs,
      outputs,
    ]),
  )
}

function digest(value: Uint32Array | readonly unknown[]): string {
  const bytes = value instanceof Uint32Array ? value : JSON.stringify(value)
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

/**
 * Compares what a saved training was with what is asked to go on with it.
 * @throws CheckpointError naming all that differs
 */
export function refuseOther(path: string, saved: unknown, here: unknown): void {
  const found = differences(saved, JSON.parse(JSON.stringify(here)))
  if (found.length === 0) return
  throw new CheckpointError(
    'RESUME_MISMATCH',
    `${path}: this training cannot go on here, as it would not give the same: ${found.join('; ')}`,
    { subject: path },
  )
}

/** Where two documents differ, by the path of the field. */
function differences(was: unknown, is: unknown, path = ''): string[] {
  if (isJson(was) && isJson(is)) {
    const keys = new Set([...Object.keys(was), ...Object.keys(is)])
    return [...keys].flatMap((key) => differences(was[key], is[key], path === '' ? key : `${path}.${key}`))
  }
  return JSON.stringify(was) === JSON.stringify(is)
    ? []
    : [`${path} was ${excerpt(was)} and is ${excerpt(is)}`]
}
