import type { Rectangle } from './geometry.js'
import type { Image } from './pixels.js'
import type { Interpolation } from './preprocessing.js'

interface Filter {
  /** Distance from the centre at which the filter has come to zero. */
  readonly support: number
  readonly weight: (x: number) => number
}

const FILTERS: Record<Interpolation, Filter> = {
  nearest: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
  lanczos3: { support: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

/** Catmull and Rom's cubic. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2
  return 0
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

/** Weights are integers of this many fractional bits, as in Pillow: results agree bit for bit. */
const PRECISION = 22

/**
 * Enlarges an image to `width` x `height` and returns `crop` of that; only what the crop shows is computed.
 *
 * The image library's own enlargement lies about half a pixel off, which a network notices in small images. Small
 * they are by nature here, so that this may run in JavaScript.
 */
export function enlarge(
  image: Image,
  { width, height }: { readonly width: number; readonly height: number },
  crop: Rectangle,
  interpolation: Interpolation,
): Image {
  const { channels } = image
  const filter = FILTERS[interpolation]
  const columns = taps(image.width, width, crop.left, crop.width, filter)
  const rows = taps(image.height, height, crop.top, crop.height, filter)
  // First along the rows, for the rows that the second pass looks at.
  const top = rows[0]!.first
  const bottom = Math.max(...rows.map(({ first, weights }) => first + weights.length))
  const wide = new Uint8Array((bottom - top) * crop.width * channels)
  for (let y = top; y < bottom; y++) {
    const line = image.data.subarray(y * image.width * channels, (y + 1) * image.width * channels)
    const out = (y - top) * crop.width * channels
    columns.forEach(({ first, weights }, x) => {
      for (let c = 0; c < channels; c++)
        wide[out + x * channels + c] = weigh(line, first * channels + c, channels, weights)
    })
  }
  const stride = crop.width * channels
  const data = new Uint8Array(crop.height * stride)
  rows.forEach(({ first, weights }, y) => {
    for (let i = 0; i < stride; i++)
      data[y * stride + i] = weigh(wide, (first - top) * stride + i, stride, weights)
  })
  return { width: crop.width, height: crop.height, channels, data }
}

/** Which elements make up an output, and how much of each. */
interface Taps {
  readonly first: number
  readonly weights: Int32Array
}

/** Taps of the outputs `start` to `start + count - 1` when `from` elements become `to`, which are no fewer. */
function taps(from: number, to: number, start: number, count: number, { support, weight }: Filter): Taps[] {
  return Array.from({ length: count }, (_, i) => {
    const centre = ((start + i + 0.5) * from) / to
    const first = Math.max(0, Math.trunc(centre - support + 0.5))
    const last = Math.min(from, Math.trunc(centre + support + 0.5))
    const exact = Array.from({ length: last - first }, (_, x) => weight(x + first - centre + 0.5))
    const sum = exact.reduce((a, b) => a + b, 0)
    return { first, weights: Int32Array.from(exact, (w) => roundAwayFromZero((w / sum) * 2 ** PRECISION)) }
  })
}

function roundAwayFromZero(x: number): number {
  return Math.trunc(x + 0.5 * Math.sign(x))
}

function weigh(data: Uint8Array, start: number, step: number, weights: Int32Array): number {
  let sum = 2 ** (PRECISION - 1)
  for (let i = 0, j = start; i < weights.length; i++, j += step) sum += weights[i]! * data[j]!
  return Math.min(255, Math.max(0, sum >> PRECISION))
}
