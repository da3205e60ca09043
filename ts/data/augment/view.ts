import { ShapeError } from '../../errors.js'
import type { RandomStream } from '../../random.js'
import { below, between } from '../draws.js'
import { centreGeometry, centreSquare, resizeShorterSide, type Rectangle, type Size } from '../geometry.js'
import { interpolate } from '../interpolate.js'
import type { Image } from '../pixels.js'
import type { Preprocessing } from '../preprocessing.js'
import type { Geometric, RandomResizedCrop } from './transform.js'

/**
 * What is seen of an image: its part `from`, resized to `to`, of that the `window`, perhaps mirrored. A window that
 * reaches beyond shows black.
 *
 * Found from the image's size alone, so that no pixel is decoded or computed that is not looked at.
 */
export interface View {
  readonly from: Rectangle
  readonly to: Size
  readonly window: Rectangle
  readonly mirrored: boolean
}

/** Draws what the network sees of an image of this size. */
export function chooseView(
  image: Size,
  transforms: readonly Geometric[],
  preprocessing: Preprocessing,
  random: RandomStream,
): View {
  const { size } = preprocessing
  const whole = { left: 0, top: 0, width: image.width, height: image.height }
  let from: Rectangle = whole
  let to: Size = image
  let window: Rectangle | undefined
  let mirrored = false
  for (const transform of transforms)
    switch (transform.kind) {
      case 'randomResizedCrop':
        from = randomPart(image, transform, random)
        to = { width: size, height: size }
        window = { left: 0, top: 0, ...to }
        break
      case 'resizeShorter': {
        const [least, most] =
          typeof transform.to === 'number' ? [transform.to, transform.to] : (transform.to as [number, number])
        to = resizeShorterSide(image, least === most ? least : least + below(random, most - least + 1))
        window = centreSquare(to, size)
        break
      }
      case 'randomCrop':
        window = randomSquare(to, size, transform.padding ?? 0, random)
        break
      case 'horizontalFlip':
        mirrored = random.uniform() < (transform.probability ?? 0.5)
    }
  if (window) return { from, to, window, mirrored }
  const { resized, crop } = centreGeometry(image.width, image.height, preprocessing)
  return { from, to: resized, window: crop, mirrored }
}

const ATTEMPTS = 10

function randomPart(image: Size, transform: RandomResizedCrop, random: RandomStream): Rectangle {
  const { scale = [0.08, 1], ratio = [3 / 4, 4 / 3] } = transform
  const area = image.width * image.height
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const part = area * between(random, ...scale)
    const aspect = Math.exp(between(random, Math.log(ratio[0]), Math.log(ratio[1])))
    const width = Math.round(Math.sqrt(part * aspect))
    const height = Math.round(Math.sqrt(part / aspect))
    if (width < 1 || height < 1 || width > image.width || height > image.height) continue
    return {
      left: below(random, image.width - width + 1),
      top: below(random, image.height - height + 1),
      width,
      height,
    }
  }
  const aspect = Math.min(ratio[1], Math.max(ratio[0], image.width / image.height))
  const width = Math.min(image.width, Math.max(1, Math.round(image.height * aspect)))
  const height = Math.min(image.height, Math.max(1, Math.round(image.width / aspect)))
  return {
    left: Math.floor((image.width - width) / 2),
    top: Math.floor((image.height - height) / 2),
    width,
    height,
  }
}

function randomSquare(
  { width, height }: Size,
  size: number,
  padding: number,
  random: RandomStream,
): Rectangle {
  const [across, down] = [width + 2 * padding - size, height + 2 * padding - size]
  if (across < 0 || down < 0)
    throw new ShapeError(
      `${width} x ${height} pixels with a padding of ${padding} hold no crop of ${size} x ${size}`,
      { expected: `at least ${size} x ${size}`, got: `${width} x ${height}` },
    )
  return {
    left: below(random, across + 1) - padding,
    top: below(random, down + 1) - padding,
    width: size,
    height: size,
  }
}

/**
 * By how much an image may be shrunk before it is looked at: at least twice what the view shows is left for the
 * view's own filter, so that one cannot tell.
 */
export function shrinkFactor({ from, to }: View): 1 | 2 | 4 | 8 {
  const spare = Math.min(from.width / to.width, from.height / to.height) / 2
  return spare >= 8 ? 8 : spare >= 4 ? 4 : spare >= 2 ? 2 : 1
}

/**
 * The pixels of a view: always a copy.
 *
 * @param image - the image for whose `size` the view was chosen, or a smaller version of it
 */
export function render(
  image: Image,
  { from, to, window, mirrored }: View,
  size: Size,
  { interpolation }: Preprocessing,
): Image {
  const across = image.width / size.width
  const down = image.height / size.height
  const part = {
    left: from.left * across,
    top: from.top * down,
    width: from.width * across,
    height: from.height * down,
  }
  const unscaled = part.width === to.width && part.height === to.height
  if (unscaled)
    return place(
      image,
      part,
      { ...window, left: part.left + window.left, top: part.top + window.top },
      mirrored,
    )
  const inside = intersection(window, { left: 0, top: 0, ...to })
  const seen = interpolate(image, part, to, inside, interpolation)
  const whole = { left: 0, top: 0, width: seen.width, height: seen.height }
  if (!mirrored && seen.width === window.width && seen.height === window.height) return seen
  return place(
    seen,
    whole,
    { ...window, left: window.left - inside.left, top: window.top - inside.top },
    mirrored,
  )
}

function intersection(a: Rectangle, b: Rectangle): Rectangle {
  const left = Math.max(a.left, b.left)
  const top = Math.max(a.top, b.top)
  const width = Math.min(a.left + a.width, b.left + b.width) - left
  const height = Math.min(a.top + a.height, b.top + b.height) - top
  return { left, top, width, height }
}

/** The pixels of a window, black where it lies outside of `part`. */
function place(image: Image, part: Rectangle, window: Rectangle, mirrored: boolean): Image {
  const { channels, data: from } = image
  const { left, top, width, height } = intersection(window, part)
  const data = new Uint8Array(window.width * window.height * channels)
  const line = width * channels
  for (let row = top; row < top + height; row++) {
    const start = (row * image.width + left) * channels
    const target = ((row - window.top) * window.width + left - window.left) * channels
    if (mirrored) {
      // The pixels at the left go to where they are as far from the right edge.
      let o = ((row - window.top + 1) * window.width - 1 - (left - window.left)) * channels
      for (let i = start; i < start + line; i += channels, o -= channels)
        for (let c = 0; c < channels; c++) data[o + c] = from[i + c]!
    } else data.set(from.subarray(start, start + line), target)
  }
  return { width: window.width, height: window.height, channels, data }
}
