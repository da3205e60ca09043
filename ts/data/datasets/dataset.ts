import { DatasetError, InvalidArgumentError } from '../../errors.js'
import { cropCentre, type Image } from '../image.js'
import type { Preprocessing } from '../preprocessing.js'

export type Split = 'train' | 'test'

export interface Example {
  readonly image: Image
  /** Index into the data set's `classes`. */
  readonly label: number
}

/** Labelled images, each reachable by its index; safe to read several at a time. */
export interface Dataset {
  readonly name: string
  readonly classes: readonly string[]
  /** Number of examples. */
  readonly size: number
  /** The class of an example, without touching its pixels. */
  label(index: number): number
  /**
   * One example: its whole image, as augmentation wants it, or with `preprocessing` the crop that an evaluation
   * feeds to the network.
   */
  get(index: number, preprocessing?: Preprocessing): Promise<Example>
  /** The file that holds an example's image and nothing else, where there is one: other threads can decode it. */
  path?(index: number): string
}

/** Equally sized images that lie one after the other in memory, channels last. */
export interface PixelArray {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3
  readonly data: Uint8Array
}

/** A {@link Dataset} over images that are in memory already. */
export class ArrayDataset implements Dataset {
  readonly size: number

  /** @throws DatasetError when images and labels differ in number, or a label has no class. */
  constructor(
    readonly name: string,
    readonly classes: readonly string[],
    private readonly images: PixelArray,
    private readonly labels: Uint8Array,
  ) {
    this.size = images.data.length / bytesPerImage(images)
    if (this.size !== labels.length)
      throw new DatasetError(`${name}: ${this.size} images but ${labels.length} labels`, { subject: name })
    checkLabels(name, labels, classes.length)
  }

  label(index: number): number {
    return this.labels[checkIndex(this, index)]!
  }

  async get(index: number, preprocessing?: Preprocessing): Promise<Example> {
    const label = this.label(index)
    const { width, height, channels, data } = this.images
    const bytes = bytesPerImage(this.images)
    // A copy, for whoever augments the pixels in place. A Buffer's `slice` would not be one.
    const copy = new Uint8Array(data.subarray(index * bytes, (index + 1) * bytes))
    const image = { width, height, channels, data: copy }
    return { image: preprocessing ? await cropCentre(image, preprocessing) : image, label }
  }
}

/** @throws DatasetError when a label lies outside of `0..classes - 1`. */
export function checkLabels(name: string, labels: ArrayLike<number>, classes: number): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw new DatasetError(`${name}: label ${label} of example ${i} is not one of 0 to ${classes - 1}`, {
        subject: name,
        expected: `0 to ${classes - 1}`,
        got: String(label),
      })
  }
}

/** @throws InvalidArgumentError when there is no such example. */
export function checkIndex(dataset: Dataset, index: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= dataset.size)
    throw new InvalidArgumentError(`${dataset.name} has no example ${index}, only 0 to ${dataset.size - 1}`, {
      subject: 'index',
      expected: `0 to ${dataset.size - 1}`,
      got: String(index),
    })
  return index
}

function bytesPerImage({ width, height, channels }: PixelArray): number {
  return width * height * channels
}
