import { InvalidArgumentError } from '../errors.js'

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

/** @throws InvalidArgumentError when the fields contradict each other. */
export function checkPreprocessing(preprocessing: Preprocessing): void {
  const { size, resize, mean, deviation, padding = 0 } = preprocessing
  const channels = channelCount(preprocessing)
  const fail = (subject: string, expected: string, got: string) => {
    throw new InvalidArgumentError(`preprocessing.${subject} must be ${expected}, got ${got}`, {
      subject,
      expected,
      got,
    })
  }
  if (!Number.isInteger(size) || size < 1) fail('size', 'a positive integer', String(size))
  if (resize !== 'exact' && (!Number.isInteger(resize) || resize < size))
    fail('resize', `'exact' or an integer of at least the crop's ${size}`, String(resize))
  if (!Number.isInteger(padding) || padding < 0)
    fail('padding', 'an integer that is not negative', String(padding))
  if (mean.length !== channels) fail('mean', `${channels} number(s)`, String(mean.length))
  if (deviation.length !== channels) fail('deviation', `${channels} number(s)`, String(deviation.length))
}
