import { DatasetError, ImageError, ShapeError } from '../../errors.js'
import type { Mixture } from '../augment/mixup.js'
import { concurrently } from '../concurrently.js'
import { isImage } from '../augment/augment.js'
import type { ImageSource } from '../image.js'
import type { Image } from '../pixels.js'
import type { Crew } from './crew.js'
import type { BatchData, Located, Slot } from './work.js'

/** An example that may take a place in a batch. */
export interface Candidate {
  /** Decides its random numbers. */
  readonly index: number
  readonly label: number
  /** For messages. */
  readonly name: string
  /** Its image: a path, encoded bytes, or pixels. */
  readonly image: () => ImageSource | Image | Promise<ImageSource | Image>
}

/** An example that could not be read and was left out. */
export interface SkippedExample {
  readonly index: number
  /** Its file or, where it has none, its number and the data set. */
  readonly name: string
  readonly error: ImageError
}

/** What to do about an image that cannot be read. */
export type OnError = 'fail' | 'skip'

export interface Filling {
  readonly places: number
  /** The example of a place; after so many damaged ones, the one to try next, if any. */
  readonly candidate: (place: number, attempt: number) => Candidate | undefined
  readonly onError: OnError
  /** Elements of the batch. */
  readonly elements: number
  readonly mixture: Mixture | undefined
}

export interface Filled {
  readonly data: BatchData
  readonly examples: readonly Candidate[]
  readonly skipped: readonly SkippedExample[]
}

/** Damaged examples in a row that are no accident any more: a folder that is gone, a disk that fails. */
const LONGEST_RUN = 100

/**
 * Fills every place of a batch with its example or, where that is damaged, with the next good one in order.
 *
 * @throws ImageError when an image cannot be read and `onError` is 'fail'
 * @throws DatasetError when no good one is found
 */
export async function fill(crew: Crew, filling: Filling): Promise<Filled> {
  const { places, candidate, onError, elements, mixture } = filling
  const examples: Candidate[] = []
  const skipped: SkippedExample[] = []
  let batch: number | BatchData = elements
  let open = Array.from({ length: places }, (_, place) => place)
  for (let attempt = 0; ; attempt++) {
    for (const place of open) {
      const example = attempt < LONGEST_RUN ? candidate(place, attempt) : undefined
      if (!example) throw nothingLeft(examples[place]!, skipped, attempt)
      examples[place] = example
    }
    const found = await locate(open, examples)
    const { data, failures } = await crew.run({
      slots: found.slots,
      bytes: found.bytes,
      batch,
      // Images are mixed once all are there, which the worker cannot know of those that never reached it.
      mixture: found.failures.length === 0 ? mixture : undefined,
    })
    const failed = [...found.failures, ...failures].sort((a, b) => a.place - b.place)
    if (failed.length === 0) return { data, examples, skipped }
    const errors = failed.map(({ place, message }) => {
      const { index, name } = examples[place]!
      return { index, name, error: new ImageError(message, { subject: name }) }
    })
    if (onError === 'fail') throw errors[0]!.error
    // A damaged example that was only tried in another's place is told by the batch to which it belongs.
    if (attempt === 0) skipped.push(...errors)
    batch = data
    open = failed.map(({ place }) => place)
  }
}

function nothingLeft(last: Candidate, skipped: readonly SkippedExample[], attempts: number): DatasetError {
  const first = skipped[0]!
  return new DatasetError(
    `${attempts} examples in a row cannot be read, the last of them ${last.name}; ${first.error.message}`,
    { subject: last.name, cause: first.error },
  )
}

interface Found {
  readonly slots: readonly Slot[]
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly failures: readonly { readonly place: number; readonly message: string }[]
}

/** Gathers what workers need: names of files, or the bytes of all images in one buffer, which changes hands. */
async function locate(places: readonly number[], examples: readonly Candidate[]): Promise<Found> {
  const failures: { place: number; message: string }[] = []
  const images = await concurrently(places, async (place) => {
    const { image, name } = examples[place]!
    try {
      return { place, image: await image() }
    } catch (error) {
      if (!(error instanceof ImageError || error instanceof DatasetError || error instanceof ShapeError))
        throw error
      failures.push({
        place,
        message: error.message.includes(name) ? error.message : `${name}: ${error.message}`,
      })
      return undefined
    }
  })
  const slots: Slot[] = []
  const parts: Uint8Array[] = []
  let start = 0
  for (const found of images) {
    if (!found) continue
    const { place, image } = found
    const { index, name } = examples[place]!
    let at: Located
    if (typeof image === 'string') at = { path: image }
    else {
      const part = isImage(image) ? image.data : image
      at = { start, length: part.length, ...(isImage(image) && sizeOf(image)) }
      start += part.length
      parts.push(part)
    }
    slots.push({ place, index, name, at })
  }
  return { slots, bytes: joined(parts, start), failures }
}

function sizeOf({ width, height, channels }: Image) {
  return { width, height, channels }
}

/** Always a copy: what is sent to a worker is gone here. */
function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length)
  let start = 0
  for (const part of parts) {
    whole.set(part, start)
    start += part.length
  }
  return whole
}
