import type { Precision } from '../compile/precision.js'
import type { Dataset } from '../data/datasets/dataset.js'
import { loader } from '../data/loader/loader.js'
import { inputSide, type Preprocessing } from '../data/preprocessing.js'
import type { InferenceProgram } from '../model/inference.js'
import type { Model } from '../model/model.js'
import type { Device } from '../runtime/device.js'
import type { Tensor } from '../tensor.js'
import type { SkippedEvent, ValidationResult } from './events.js'

export interface ValidatorOptions {
  readonly batch: number
  readonly precision: Precision
  readonly preprocessing: Preprocessing
  readonly workers: number | undefined
  readonly onCorrupt: 'fail' | 'skip'
  readonly onSkipped: (event: SkippedEvent) => void
  /** Whether the cross-entropy is told. */
  readonly withLoss: boolean
}

/** Compares a network with a validation set, as often as one likes. */
export class Validator {
  private constructor(
    private readonly program: InferenceProgram,
    private readonly options: ValidatorOptions,
  ) {}

  static async compile(
    model: Model<'logits', string>,
    device: Device,
    options: ValidatorOptions,
  ): Promise<Validator> {
    const { batch, precision, preprocessing } = options
    const size = inputSide(preprocessing)
    return new Validator(await model.compile(device, { batch, size, precision }), options)
  }

  /** @throws AbortError when `signal` fires first */
  async run(dataset: Dataset, signal: AbortSignal | undefined): Promise<ValidationResult> {
    const { batch, preprocessing, workers, onCorrupt, onSkipped, withLoss } = this.options
    const batches = loader(dataset, {
      batch: Math.min(batch, dataset.size),
      preprocessing,
      workers,
      signal,
      onError: onCorrupt,
      shuffle: false,
      dropLast: false,
    })
    let [images, loss, first, five] = [0, 0, 0, 0]
    for await (const { images: pixels, labels, skipped } of batches) {
      for (const { index, name, error } of skipped)
        onSkipped({ kind: 'skipped', index, name, message: error.message })
      const { logits } = await this.program.predict(pixels, signal ? { signal } : {})
      for (const [i, label] of labels.entries()) {
        const row = rowOf(logits, i)
        const place = placeOf(row, label)
        images++
        if (place === 0) first++
        if (place < 5) five++
        if (withLoss) loss += crossEntropyOf(row, label)
      }
    }
    return { ...(withLoss && { loss: loss / images }), top1: first / images, top5: five / images }
  }

  dispose(): void {
    this.program.dispose()
  }
}

/** How many of a batch are right. */
export function countCorrect(logits: Tensor, labels: Int32Array): number {
  let correct = 0
  for (const [i, label] of labels.entries()) if (placeOf(rowOf(logits, i), label) === 0) correct++
  return correct
}

function rowOf({ shape, data }: Tensor, row: number): Float32Array {
  const classes = shape[1]!
  return data.subarray(row * classes, (row + 1) * classes)
}

/** How many classes come before the right one: all, where its logit is not a number. */
function placeOf(logits: Float32Array, label: number): number {
  const own = logits[label]!
  let before = 0
  for (let i = 0; i < logits.length; i++) {
    const other = logits[i]!
    if (!(other < own || (other === own && i >= label))) before++
  }
  return before
}

function crossEntropyOf(logits: Float32Array, label: number): number {
  let largest = -Infinity
  for (const logit of logits) largest = Math.max(largest, logit)
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - largest)
  return Math.log(sum) + largest - logits[label]!
}
