import { InvalidArgumentError } from '../../errors.js'
import type { Preprocessing } from '../preprocessing.js'

/**
 * Cuts out a part of random area and aspect ratio and resizes it to the network's input.
 *
 * "Going deeper with convolutions" (Szegedy et al. 2015, section 6): patches of 8 % to 100 % of the image's area
 * whose aspect ratio lies between 3/4 and 4/3. The draws are torchvision's: the ratio is uniform in its
 * logarithm, and after ten parts that do not fit the image's centre is taken.
 */
export interface RandomResizedCrop {
  readonly kind: 'randomResizedCrop'
  /** Range of the part's area as a fraction of the image's. Default [0.08, 1]. */
  readonly scale?: readonly [number, number]
  /** Range of width by height. Default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number]
}

/**
 * Resizes so that the shorter side gets this length; for a range, one drawn anew for each image: the scale jitter
 * of "Very deep convolutional networks" (Simonyan and Zisserman 2015, section 3.1), there [256, 512].
 */
export interface ResizeShorter {
  readonly kind: 'resizeShorter'
  readonly to: number | readonly [number, number]
}

/**
 * Cuts the network's input out at a random position (AlexNet, section 4.1); with `padding`, out of the image in a
 * black frame of that width: 4 for CIFAR ("Deep residual learning", He et al. 2016, section 4.2).
 */
export interface RandomCrop {
  readonly kind: 'randomCrop'
  /** Default 0. */
  readonly padding?: number
}

/** Mirrors left to right (AlexNet, section 4.1). */
export interface HorizontalFlip {
  readonly kind: 'horizontalFlip'
  /** Default 0.5. */
  readonly probability?: number
}

/**
 * Adds multiples of the principal components of ImageNet's colours: a change of the light's strength and colour
 * ("ImageNet classification with deep convolutional neural networks", Krizhevsky et al. 2012, section 4.1).
 */
export interface Lighting {
  readonly kind: 'lighting'
  /** Deviation of the normal multiples. Default 0.1, the paper's. */
  readonly deviation?: number
}

/**
 * Changes brightness, contrast, saturation and hue in random order. The first three are multiplied by a factor
 * from [1 - x, 1 + x], hue is turned by up to x of the circle, each way. As torchvision does on floating point.
 *
 * "Some improvements on deep convolutional neural network based image classification" (Howard 2013, section 2.2).
 */
export interface ColourJitter {
  readonly kind: 'colourJitter'
  /** Default 0, as of the others. */
  readonly brightness?: number
  readonly contrast?: number
  readonly saturation?: number
  /** At most 0.5. */
  readonly hue?: number
}

/**
 * The colour distortions with which Inception was trained, those of TensorFlow's `inception_preprocessing`:
 * brightness by up to 32/255, saturation and contrast by a factor from [0.5, 1.5], hue by up to 0.2 of the
 * circle, in one of four orders.
 */
export interface InceptionColours {
  readonly kind: 'inceptionColours'
}

/** A stage that chooses which pixels are seen. */
export type Geometric = RandomResizedCrop | ResizeShorter | RandomCrop | HorizontalFlip

/** A stage that changes colours. */
export type Colouring = Lighting | ColourJitter | InceptionColours

/**
 * A stage of an augmentation: plain data, which a recipe can print and a file can hold.
 *
 * Stages come in this order, each at most once: `randomResizedCrop` or `resizeShorter`, `randomCrop`,
 * `horizontalFlip`, then colours in any order. All produce the input of the network's {@link Preprocessing}, which
 * says its size; without a stage that crops, the centre is cut out as an evaluation does.
 */
export type Transform = Geometric | Colouring

const RANKS = {
  randomResizedCrop: 0,
  resizeShorter: 0,
  randomCrop: 1,
  horizontalFlip: 2,
  lighting: 3,
  colourJitter: 3,
  inceptionColours: 3,
} as const satisfies Record<Transform['kind'], number>

const COLOURS = RANKS.lighting

export function isGeometric(transform: Transform): transform is Geometric {
  return RANKS[transform.kind] < COLOURS
}

/** @throws InvalidArgumentError for stages that are unknown, out of order, or do not suit the network's input */
export function checkTransforms(transforms: readonly Transform[], preprocessing: Preprocessing): void {
  transforms.forEach((transform, i) => {
    const { kind } = transform
    if (!Object.hasOwn(RANKS, kind)) refuse('kind', `one of ${Object.keys(RANKS).join(', ')}`, kind)
    const before = transforms.slice(0, i)
    if (before.some((other) => other.kind === kind || RANKS[other.kind] > RANKS[kind]))
      refuse(kind, 'its place: a resize, a crop, a flip, colours, each once', `it after ${listed(before)}`)
    if (RANKS[kind] < COLOURS && before.some((other) => RANKS[other.kind] === RANKS[kind]))
      refuse(kind, 'the only resize', `it after ${listed(before)}`)
    if (!isGeometric(transform) && preprocessing.channels === 'grey')
      refuse(kind, 'absent, as the network sees grey', 'it')
    checkNumbers(transform, preprocessing)
  })
}

function checkNumbers(transform: Transform, { size }: Preprocessing): void {
  switch (transform.kind) {
    case 'randomResizedCrop': {
      range('scale', transform.scale ?? [1, 1], 0, 1)
      range('ratio', transform.ratio ?? [1, 1], 0, Infinity)
      return
    }
    case 'resizeShorter': {
      const ends = typeof transform.to === 'number' ? ([transform.to, transform.to] as const) : transform.to
      const whole = ends.every((end) => Number.isInteger(end) && end >= size)
      if (!whole || ends[0] > ends[1])
        refuse('to', `integers of at least the crop's ${size}, rising`, ends.join(', '))
      return
    }
    case 'randomCrop': {
      const { padding = 0 } = transform
      if (!Number.isInteger(padding) || padding < 0)
        refuse('padding', 'an integer that is not negative', String(padding))
      return
    }
    case 'horizontalFlip':
      number('probability', transform.probability ?? 0, 1)
      return
    case 'lighting':
      number('deviation', transform.deviation ?? 0, Infinity)
      return
    case 'colourJitter': {
      const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = transform
      number('brightness', brightness, 1)
      number('contrast', contrast, 1)
      number('saturation', saturation, 1)
      number('hue', hue, 0.5)
      return
    }
    case 'inceptionColours':
  }
}

function range(name: string, [low, high]: readonly [number, number], above: number, most: number): void {
  if (!(low > above && low <= high && high <= most && Number.isFinite(high)))
    refuse(name, `a range in (${above}, ${most}]`, `[${low}, ${high}]`)
}

function number(name: string, value: number, most: number): void {
  if (!(value >= 0 && value <= most && Number.isFinite(value)))
    refuse(name, `a number in [0, ${most}]`, String(value))
}

function listed(transforms: readonly Transform[]): string {
  return transforms.map(({ kind }) => kind).join(', ')
}

function refuse(subject: string, expected: string, got: string): never {
  throw new InvalidArgumentError(`transforms: ${subject} must be ${expected}, got ${got}`, {
    subject,
    expected,
    got,
  })
}
