import { ImageError, ShapeError } from '../../errors.js'
import { augment } from '../augment/augment.js'
import { mixImages, type Mixture } from '../augment/mixup.js'
import type { Transform } from '../augment/transform.js'
import { concurrently } from '../concurrently.js'
import { stream } from '../draws.js'
import { normalize, packBytes, type ImageSource } from '../image.js'
import type { Image } from '../pixels.js'
import { channelCount, inputSide, type Preprocessing } from '../preprocessing.js'

/** What all work of an epoch has in common. */
export interface Recipe {
  readonly transforms: readonly Transform[]
  readonly preprocessing: Preprocessing
  readonly seed: number
  readonly epoch: number
  /** Normalised planes, or bytes with channels innermost. */
  readonly dtype: 'f32' | 'u8'
}

/** Where a worker finds an image: in a file, or among the bytes that came with the task. */
export type Located =
  | { readonly path: string }
  | { readonly start: number; readonly length: number }
  | ({ readonly start: number; readonly length: number } & Omit<Image, 'data'>)

export interface Slot {
  /** Where in the batch the image goes. */
  readonly place: number
  /** Decides its random numbers. */
  readonly index: number
  /** For messages. */
  readonly name: string
  readonly at: Located
}

/** Places of a batch to fill. */
export interface Task {
  readonly slots: readonly Slot[]
  /** The images, encoded or not, that are in no file. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** The batch: as many elements as all its images have, or what an earlier task made of it. */
  readonly batch: number | BatchData
  /** Applied once every place is filled. */
  readonly mixture?: Mixture | undefined
}

export type BatchData = Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>

/** An image that could not be read. */
export interface Failure {
  readonly place: number
  readonly message: string
}

export interface Result {
  readonly data: BatchData
  readonly failures: readonly Failure[]
}

/**
 * Images under way at a time: while the image library's threads decode some, this thread augments another. More
 * would only take memory, and processors from the training.
 */
const AT_A_TIME = 3

/** Decodes, augments and writes the images of a task: all that the loader's threads do. */
export async function perform(task: Task, recipe: Recipe): Promise<Result> {
  const { slots, batch, mixture } = task
  const { transforms, preprocessing, seed, epoch, dtype } = recipe
  const data =
    typeof batch !== 'number' ? batch : dtype === 'f32' ? new Float32Array(batch) : new Uint8Array(batch)
  const length = elementsAnImage(preprocessing)
  const failures: Failure[] = []
  await concurrently(
    slots,
    async (slot) => {
      try {
        const random = stream('augmentation', seed, epoch, slot.index)
        const image = await augment(locate(slot, task.bytes), transforms, preprocessing, random)
        if (data instanceof Float32Array) normalize(image, preprocessing, data, slot.place * length)
        else packBytes(image, preprocessing, data, slot.place * length)
      } catch (error) {
        failures.push({ place: slot.place, message: complaint(slot, error) })
      }
    },
    AT_A_TIME,
  )
  if (mixture && failures.length === 0) mixImages(data, mixture)
  return { data, failures: failures.sort((a, b) => a.place - b.place) }
}

export function elementsAnImage(preprocessing: Preprocessing): number {
  return channelCount(preprocessing) * inputSide(preprocessing) ** 2
}

function locate({ at }: Slot, bytes: Uint8Array): Image | ImageSource {
  if ('path' in at) return at.path
  const data = bytes.subarray(at.start, at.start + at.length)
  return 'channels' in at ? { width: at.width, height: at.height, channels: at.channels, data } : data
}

/** What is wrong with the image; an error that is not the image's fault is thrown on. */
function complaint({ name }: Slot, error: unknown): string {
  if (error instanceof ImageError)
    return error.message.includes(name) ? error.message : `${name}: ${error.message}`
  if (error instanceof ShapeError) return `${name}: ${error.message}`
  throw error as Error
}
