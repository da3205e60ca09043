import type { Rectangle, Size } from './geometry.js'
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
const HALF = 2 ** (PRECISION - 1)

/**
 * Resamples the part `from` of an image to `to.width` x `to.height` and returns `window` of that; only what the
 * window shows is computed. Pixels outside of `from` have no influence.
 *
 * The image library's own enlargement lies about half a pixel off, which a network notices in small images, and
 * for the crops of training its detour over another thread costs more than this does.
 *
 * @param from - may begin and end between two pixels
 */
export function interpolate(
  image: Image,
  from: Rectangle,
  to: Size,
  window: Rectangle,
  interpolation: Interpolation,
): Image {
  const { channels } = image
  const filter = FILTERS[interpolation]
  const columns = taps(from.left, from.width, to.width, window.left, window.width, filter)
  const rows = taps(from.top, from.height, to.height, window.top, window.height, filter)
  // First along the rows, for the rows that the second pass looks at.
  const top = rows.first[0]!
  const bottom = rows.first.reduce((end, first, i) => Math.max(end, first + rows.count[i]!), 0)
  const { data, width } = image
  const wide = channels === 3 ? alongRows3 : alongRows1
  const lines = wide(data.subarray(top * width * channels), width, bottom - top, columns)
  return {
    width: window.width,
    height: window.height,
    channels,
    data: alongColumns(lines, window.width * channels, top, rows),
  }
}

/** Which elements make up each output, and how much of each: `stride` weights an output, of which `count` hold. */
interface Taps {
  readonly first: Int32Array
  readonly count: Int32Array
  readonly weights: Int32Array
  readonly stride: number
}

/** Taps of the outputs `start` to `start + size - 1` when `length` elements from `origin` on become `to`. */
function taps(origin: number, length: number, to: number, start: number, size: number, filter: Filter): Taps {
  // When shrinking, the filter grows with the factor, so that nothing aliases.
  const shrink = Math.max(1, length / to)
  const support = filter.support * shrink
  const lowest = Math.floor(origin)
  const highest = Math.ceil(origin + length)
  const stride = Math.ceil(2 * support) + 1
  const first = new Int32Array(size)
  const count = new Int32Array(size)
  const weights = new Int32Array(size * stride)
  const exact = new Float64Array(stride)
  for (let i = 0; i < size; i++) {
    const centre = origin + ((start + i + 0.5) * length) / to
    const begin = Math.max(lowest, Math.floor(centre - support + 0.5))
    const taken = Math.min(highest, Math.floor(centre + support + 0.5)) - begin
    let sum = 0
    for (let k = 0; k < taken; k++) sum += exact[k] = filter.weight((begin + k - centre + 0.5) / shrink)
    for (let k = 0; k < taken; k++)
      weights[i * stride + k] = roundAwayFromZero((exact[k]! / sum) * 2 ** PRECISION)
    first[i] = begin
    count[i] = taken
  }
  return { first, count, weights, stride }
}

function roundAwayFromZero(x: number): number {
  return Math.trunc(x + 0.5 * Math.sign(x))
}

function alongRows3(
  data: Uint8Array,
  width: number,
  height: number,
  { first, count, weights, stride }: Taps,
): Uint8Array {
  const out = new Uint8ClampedArray(height * first.length * 3)
  for (let y = 0, o = 0; y < height; y++)
    for (let x = 0; x < first.length; x++, o += 3) {
      let [red, green, blue] = [HALF, HALF, HALF]
      const begin = x * stride
      const end = begin + count[x]!
      for (let k = begin, i = 3 * (y * width + first[x]!); k < end; k++, i += 3) {
        const weight = weights[k]!
        red = (red + Math.imul(weight, data[i]!)) | 0
        green = (green + Math.imul(weight, data[i + 1]!)) | 0
        blue = (blue + Math.imul(weight, data[i + 2]!)) | 0
      }
      out[o] = red >> PRECISION
      out[o + 1] = green >> PRECISION
      out[o + 2] = blue >> PRECISION
    }
  return new Uint8Array(out.buffer)
}

function alongRows1(
  data: Uint8Array,
  width: number,
  height: number,
  { first, count, weights, stride }: Taps,
): Uint8Array {
  const out = new Uint8ClampedArray(height * first.length)
  for (let y = 0, o = 0; y < height; y++)
    for (let x = 0; x < first.length; x++, o++) {
      let sum = HALF
      const begin = x * stride
      const end = begin + count[x]!
      for (let k = begin, i = y * width + first[x]!; k < end; k++, i++)
        sum = (sum + Math.imul(weights[k]!, data[i]!)) | 0
      out[o] = sum >> PRECISION
    }
  return new Uint8Array(out.buffer)
}

/** @param top - row of the image that `lines` begins with */
function alongColumns(
  lines: Uint8Array,
  line: number,
  top: number,
  { first, count, weights, stride }: Taps,
): Uint8Array {
  const out = new Uint8ClampedArray(first.length * line)
  for (let y = 0; y < first.length; y++) {
    const begin = y * stride
    const end = begin + count[y]!
    const start = (first[y]! - top) * line
    for (let i = 0; i < line; i++) {
      let sum = HALF
      for (let k = begin, j = start + i; k < end; k++, j += line)
        sum = (sum + Math.imul(weights[k]!, lines[j]!)) | 0
      out[y * line + i] = sum >> PRECISION
    }
  }
  return new Uint8Array(out.buffer)
}
