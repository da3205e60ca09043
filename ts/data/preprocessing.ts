import { InvalidArgumentError } from '../errors.js'
import { excerpt, isJson } from '../io/json.js'

/** Resampling filter; when shrinking, its support grows with the factor, so that nothing aliases. */
export type Interpolation = 'nearest' | 'bilinear' | 'bicubic' | 'lanczos3'

/**
 * What a trained network wants to see: plain data that belongs to its weights, not to its topology.
 *
 * An element of the input is `(pixel * scale - mean[c]) / deviation[c]`, where `pixel` is 0..255 and
 * `c` counts in the order of `channels`.
 */
export interface Preprocessing {
  /** Side of the square that is cut out of an image; with `padding` around it, it enters the network. */
  readonly size: number
  /** Length of the shorter side before the centre crop; `'exact'` squeezes the whole image into the square. */
  readonly resize: number | 'exact'
  readonly interpolation: Interpolation
  readonly channels: 'RGB' | 'BGR' | 'grey'
  readonly scale: number
  readonly mean: readonly number[]
  readonly deviation: readonly number[]
  /** Black pixels put around the crop at each edge, as LeNet-5 wants of digits of 28 x 28. Default 0. */
  readonly padding?: number
}

/** torchvision's `ImageClassification` preset: shorter side 256, crop 224, ImageNet mean and deviation. */
export const TORCHVISION: Preprocessing = {
  size: 224,
  resize: 256,
  interpolation: 'bilinear',
  channels: 'RGB',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
}

/** torchvision's second, better trained weights (`IMAGENET1K_V2`) want a tighter resize. */
export const TORCHVISION_V2: Preprocessing = { ...TORCHVISION, resize: 232 }

/** torchvision's Inception v3: shorter side 342, crop 299. */
export const TORCHVISION_INCEPTION: Preprocessing = { ...TORCHVISION, size: 299, resize: 342 }

/** Keras' `caffe` mode, of its ResNet and VGG: BGR in 0..255 less the mean pixel of ImageNet. */
export const CAFFE: Preprocessing = {
  ...TORCHVISION,
  channels: 'BGR',
  scale: 1,
  mean: [103.939, 116.779, 123.68],
  deviation: [1, 1, 1],
}

/** CIFAR pictures are 32 x 32 already; the published CIFAR ResNets use ImageNet's mean and deviation. */
export const CIFAR: Preprocessing = { ...TORCHVISION, size: 32, resize: 32 }

/** 28 x 28 grey in [0, 1]. */
export const MNIST: Preprocessing = {
  size: 28,
  resize: 28,
  interpolation: 'bilinear',
  channels: 'grey',
  scale: 1 / 255,
  mean: [0],
  deviation: [1],
}

/** 299 x 299 RGB in [0, 1], the aspect ratio given up, as nsfwjs does. */
export const NSFWJS: Preprocessing = {
  size: 299,
  resize: 'exact',
  interpolation: 'bilinear',
  channels: 'RGB',
  scale: 1 / 255,
  mean: [0, 0, 0],
  deviation: [1, 1, 1],
}

/** Channels of the network's input: 1 for grey, else 3. */
export function channelCount(preprocessing: Preprocessing): 1 | 3 {
  return preprocessing.channels === 'grey' ? 1 : 3
}

/** Height and width of the network's input. */
export function inputSide({ size, padding = 0 }: Preprocessing): number {
  return size + 2 * padding
}

const INTERPOLATIONS: readonly unknown[] = [
  'nearest',
  'bilinear',
  'bicubic',
  'lanczos3',
] satisfies Interpolation[]
const CHANNELS: readonly unknown[] = ['RGB', 'BGR', 'grey'] satisfies Preprocessing['channels'][]

/** @throws InvalidArgumentError when a field is missing or wrong, or fields contradict each other. */
export function checkPreprocessing(value: unknown): asserts value is Preprocessing {
  if (!isJson(value)) fail('preprocessing', 'an object', value)
  const field = (name: keyof Preprocessing, expected: string, holds: boolean) => {
    if (!holds) fail(name, expected, value[name], `preprocessing.${name}`)
  }
  const { size, resize, padding = 0, interpolation, channels, scale, mean, deviation } = value
  const count = channels === 'grey' ? 1 : 3
  field('size', 'a positive integer', isCount(size) && size > 0)
  field(
    'resize',
    `'exact' or an integer of at least the crop's ${String(size)}`,
    resize === 'exact' || (isCount(resize) && resize >= Number(size)),
  )
  field('padding', 'an integer that is not negative', isCount(padding))
  field('interpolation', `one of ${INTERPOLATIONS.join(', ')}`, INTERPOLATIONS.includes(interpolation))
  field('channels', `one of ${CHANNELS.join(', ')}`, CHANNELS.includes(channels))
  field('scale', 'a positive number', isPositive(scale))
  field('mean', `${count} number(s)`, isList(mean, count, Number.isFinite))
  field('deviation', `${count} positive number(s)`, isList(deviation, count, isPositive))
}

function fail(subject: string, expected: string, found: unknown, path = subject): never {
  const got = excerpt(found)
  throw new InvalidArgumentError(`${path} must be ${expected}, got ${got}`, { subject, expected, got })
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isPositive(value: unknown): boolean {
  return Number.isFinite(value) && Number(value) > 0
}

function isList(value: unknown, length: number, isElement: (element: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length === length && value.every(isElement)
}
