import { InvalidArgumentError, ShapeError } from '../errors.js'
import type { InferenceProgram } from '../model/inference.js'
import type { Model } from '../model/model.js'
import type { Device } from '../runtime/device.js'
import { elementCount, formatShape, tensor, type Tensor } from '../tensor.js'

export interface PredictOptions {
  readonly device: Device
  /** Images a run, at most. Default 32. */
  readonly batch?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Told after every run how many images are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

export const DEFAULT_BATCH = 32

/**
 * Logits of any number of images of one size: compiles the network for that size and runs it batch by batch.
 *
 * @param images - normalised, `[N, C, H, W]`
 * @returns `[N, classes]`
 * @throws ShapeError when the images are no `[N, C, H, W]` or the network cannot take them
 */
export async function predict(
  model: Model<'logits', string>,
  images: Tensor,
  { device, batch = DEFAULT_BATCH, signal, onProgress }: PredictOptions,
): Promise<Tensor> {
  checkBatch(batch)
  const { channels } = model.info.input
  const [count = 0, c, height, width] = images.shape
  if (images.shape.length !== 4 || c !== channels || elementCount(images.shape) === 0)
    throw new ShapeError(
      `${model.name} expects images of shape [N, ${channels}, H, W], got ${formatShape(images.shape)}`,
      { subject: 'images', expected: `[N, ${channels}, H, W]`, got: formatShape(images.shape) },
    )
  const size = [height!, width!] as const
  const program = await model.compile(device, { batch: Math.min(batch, count), size, ...signalled(signal) })
  try {
    return await runInBatches(program, images, signal, onProgress)
  } finally {
    program.dispose()
  }
}

/** Logits `[N, classes]` of more images than the program takes at once. */
export async function runInBatches(
  program: InferenceProgram,
  images: Tensor,
  signal: AbortSignal | undefined,
  onProgress?: (done: number, total: number) => void,
): Promise<Tensor> {
  const [batch] = program.inputShape
  const [count = 0, ...image] = images.shape
  const pixels = elementCount(image)
  let logits: Float32Array | undefined
  for (let start = 0; start < count; start += batch) {
    const end = Math.min(start + batch, count)
    const part = tensor(images.data.subarray(start * pixels, end * pixels), [end - start, ...image])
    const { data } = (await program.predict(part, signalled(signal))).logits
    logits ??= new Float32Array((data.length / (end - start)) * count)
    logits.set(data, (start * logits.length) / count)
    onProgress?.(end, count)
  }
  const data = logits ?? new Float32Array()
  return tensor(data, [count, data.length / count])
}

/** @throws InvalidArgumentError unless it is a positive integer */
export function checkBatch(batch: number): void {
  if (!Number.isInteger(batch) || batch < 1)
    throw new InvalidArgumentError(`batch must be a positive integer, got ${batch}`, { subject: 'batch' })
}

/** Options that hold a signal only where there is one. */
export function signalled(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal ? { signal } : {}
}
