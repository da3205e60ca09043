import type { InferencePrecision } from '../compile/precision.js'
import type { CropCount } from '../data/crops.js'
import type { Preprocessing } from '../data/preprocessing.js'
import { inputSide } from '../data/preprocessing.js'
import type { InferenceProgram } from '../model/inference.js'
import type { Device } from '../runtime/device.js'
import type { Tensor } from '../tensor.js'
import type { CompleteClassifier } from './classifier.js'
import { runInBatches, signalled } from './predict.js'
import { mean, softmax } from './scores.js'

/** A compiled classifier that averages the softmax over the crops of an image. */
export class Scorer {
  private constructor(
    private readonly name: string,
    readonly preprocessing: Preprocessing,
    private readonly program: InferenceProgram,
    private readonly crops: CropCount,
  ) {}

  static async compile(
    { model, preprocessing, calibration }: CompleteClassifier,
    device: Device,
    {
      batch,
      precision = 'f32',
      crops,
      signal,
    }: {
      batch: number
      precision?: InferencePrecision | undefined
      crops: CropCount
      signal?: AbortSignal | undefined
    },
  ): Promise<Scorer> {
    const size = inputSide(preprocessing)
    const program = await model.compile(device, {
      batch: cropsARun(batch, crops),
      size,
      precision,
      calibration,
      ...signalled(signal),
    })
    return new Scorer(model.name, preprocessing, program, crops)
  }

  /** Class probabilities of each image; its crops lie one after the other. */
  async score(images: Tensor, signal?: AbortSignal): Promise<Float64Array[]> {
    const { shape, data } = await runInBatches(this.program, images, signal)
    const [rows = 0, classes = 0] = shape
    const scores = Array.from({ length: rows }, (_, i) =>
      softmax(data.subarray(i * classes, (i + 1) * classes), this.name),
    )
    return Array.from({ length: rows / this.crops }, (_, i) =>
      mean(scores.slice(i * this.crops, (i + 1) * this.crops)),
    )
  }

  dispose(): void {
    this.program.dispose()
  }
}

/** How many images to prepare together, so that their crops fill whole runs. */
export function imagesAtATime(batch: number, crops: CropCount): number {
  return Math.max(1, Math.floor(batch / crops))
}

/** Crops of whole images, or else a divisor of the crops of one, so that no run but the last has room left. */
function cropsARun(batch: number, crops: CropCount): number {
  if (batch >= crops) return imagesAtATime(batch, crops) * crops
  let size = batch
  while (crops % size !== 0) size--
  return size
}
