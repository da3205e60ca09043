import { readFile } from 'node:fs/promises'
import type { Sharp } from 'sharp'
import { ImageError, ShapeError } from '../errors.js'
import { Tensor, tensor } from '../tensor.js'
import { concurrently } from './concurrently.js'
import { centreGeometry, type Rectangle, type Size } from './geometry.js'
import { interpolate } from './interpolate.js'
import { cut, surround, withChannels, type Image } from './pixels.js'
import {
  channelCount,
  checkPreprocessing,
  inputSide,
  type Interpolation,
  type Preprocessing,
} from './preprocessing.js'

export type { Image }

/** A file's path, or the bytes of an encoded image. */
export type ImageSource = string | Uint8Array

/** sharp would also draw SVG and read scientific formats; a classifier that meets one has the wrong file. */
const FORMATS: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp', 'gif', 'heif'])

const KERNELS = {
  nearest: 'nearest',
  bilinear: 'linear',
  bicubic: 'cubic',
  lanczos3: 'lanczos3',
} as const satisfies Record<Interpolation, string>

/** Pixels of a resized image that are still computed where only a crop is wanted; a strip of paper has more. */
const LARGEST_WHOLE = 2 ** 24

/** Background under transparent pixels: what a page shows them on. */
const BACKGROUND = '#ffffff'

/**
 * Decodes a JPEG, PNG, WebP, AVIF or GIF (its first frame) to 8 bit sRGB.
 *
 * The EXIF orientation is applied, embedded colour profiles and CMYK are converted to sRGB, 16 bit is reduced
 * to 8, grey is spread over three channels, and transparency is flattened on white. A file that ends early or
 * whose decoder warns of damage is refused rather than shown with invented pixels.
 *
 * @throws ImageError naming the file and the reason.
 */
export function decodeImage(source: ImageSource): Promise<Image> {
  return refusing(source, async (bytes) => {
    await dimensions(bytes)
    return pixels(await open(bytes))
  })
}

/**
 * As {@link decodeImage}, but shrunk by a factor that is chosen once the size is known: where less is wanted, a
 * JPEG of many pixels is decoded in a fraction of the time.
 *
 * @param factor - by what to divide the sides, told the size that {@link decodeImage} would give
 */
export function decodeShrunk(source: ImageSource, factor: (size: Size) => number): Promise<Image> {
  return refusing(source, async (bytes) => {
    const size = await dimensions(bytes)
    const by = factor(size)
    const shrunk = { width: Math.ceil(size.width / by), height: Math.ceil(size.height / by) }
    return pixels(resize(await open(bytes), size, shrunk, 'bilinear'))
  })
}

/**
 * Decodes an image, resizes its shorter side and cuts out the centre: `preprocessing.size` pixels square, grey or
 * RGB (the order BGR and the normalisation are left to {@link normalize} and {@link packBytes}).
 *
 * All but the enlargement of small images is done by the threads of the image library.
 *
 * @throws ImageError naming the file and the reason.
 */
export async function loadImage(source: ImageSource, preprocessing: Preprocessing): Promise<Image> {
  checkPreprocessing(preprocessing)
  const image = await refusing(source, async (bytes) => {
    const { width, height } = await dimensions(bytes)
    const { resized, crop } = centreGeometry(width, height, preprocessing)
    return resample(await open(bytes), { width, height }, resized, crop, preprocessing.interpolation)
  })
  return withChannels(image, channelCount(preprocessing))
}

/** Resizes and cuts decoded pixels; the way of {@link loadImage} for images that are in memory already. */
export async function cropCentre(image: Image, preprocessing: Preprocessing): Promise<Image> {
  checkPreprocessing(preprocessing)
  const { resized, crop } = centreGeometry(image.width, image.height, preprocessing)
  const cut = await resizeAndCut(image, resized, crop, preprocessing.interpolation)
  return withChannels(cut, channelCount(preprocessing))
}

/** Resizes decoded pixels to `resized` and cuts `crop` out of that, computing only what the crop needs. */
export async function resizeAndCut(
  image: Image,
  resized: Size,
  crop: Rectangle,
  interpolation: Interpolation,
): Promise<Image> {
  const { width, height, channels, data } = image
  const whole = crop.width === width && crop.height === height
  if (whole && resized.width === width && resized.height === height) return image
  const { default: sharp } = await import('sharp')
  const raw = sharp(data, { raw: { width, height, channels } })
  return resample(raw, image, resized, crop, interpolation, channels)
}

/** Loads images of any sizes into one normalised batch `[N, C, H, W]`, several at a time. */
export async function loadBatch(
  sources: readonly ImageSource[],
  preprocessing: Preprocessing,
): Promise<Tensor> {
  return toTensor(await loadAll(sources, preprocessing), preprocessing)
}

/** As {@link loadBatch}, but leaves the normalisation to the device: bytes `[N, H, W, C]`. */
export async function loadByteBatch(
  sources: readonly ImageSource[],
  preprocessing: Preprocessing,
): Promise<Tensor<'u8'>> {
  return toByteTensor(await loadAll(sources, preprocessing), preprocessing)
}

function loadAll(sources: readonly ImageSource[], preprocessing: Preprocessing): Promise<Image[]> {
  return concurrently(sources, (source) => loadImage(source, preprocessing))
}

/** Normalises crops into a batch `[N, C, H, W]`, each with its padding. */
export function toTensor(images: readonly Image[], preprocessing: Preprocessing): Tensor {
  const side = inputSide(preprocessing)
  const channels = channelCount(preprocessing)
  const data = new Float32Array(images.length * channels * side * side)
  images.forEach((image, i) => normalize(image, preprocessing, data, i * channels * side * side))
  return tensor(data, [images.length, channels, side, side])
}

/** Lays crops one after the other as bytes `[N, H, W, C]`, channels in the order that the network wants. */
export function toByteTensor(images: readonly Image[], preprocessing: Preprocessing): Tensor<'u8'> {
  const side = inputSide(preprocessing)
  const channels = channelCount(preprocessing)
  const data = new Uint8Array(images.length * channels * side * side)
  images.forEach((image, i) => packBytes(image, preprocessing, data, i * channels * side * side))
  return new Tensor([images.length, side, side, channels], data, 'u8')
}

/** Writes a crop at `offset` of `out` as normalised planes, channels first. */
export function normalize(image: Image, preprocessing: Preprocessing, out: Float32Array, offset = 0): void {
  const { channels, data } = asInput(image, preprocessing)
  const tables = tablesOf(preprocessing)
  const plane = inputSide(preprocessing) ** 2
  for (let c = 0; c < channels; c++) {
    const table = tables[c]!
    const from = sourceChannel(preprocessing, c)
    const start = offset + c * plane
    for (let i = 0, j = from; i < plane; i++, j += channels) out[start + i] = table[data[j]!]!
  }
}

const TABLES = new WeakMap<Preprocessing, readonly Float32Array[]>()

/** What becomes of each of the 256 bytes, by channel: for small images more work to find than to apply. */
function tablesOf(preprocessing: Preprocessing): readonly Float32Array[] {
  let tables = TABLES.get(preprocessing)
  if (!tables) {
    const { scale, mean, deviation } = preprocessing
    const bytes = Array.from({ length: 256 }, (_, byte) => byte)
    tables = mean.map((m, c) => Float32Array.from(bytes, (byte) => (byte * scale - m) / deviation[c]!))
    TABLES.set(preprocessing, tables)
  }
  return tables
}

/** Writes a crop at `offset` of `out` as bytes, channels last and in the network's order. */
export function packBytes(image: Image, preprocessing: Preprocessing, out: Uint8Array, offset = 0): void {
  const { channels, data } = asInput(image, preprocessing)
  if (preprocessing.channels !== 'BGR') {
    out.set(data, offset)
    return
  }
  for (let i = 0; i < data.length; i += channels) {
    out[offset + i] = data[i + 2]!
    out[offset + i + 1] = data[i + 1]!
    out[offset + i + 2] = data[i]!
  }
}

function sourceChannel(preprocessing: Preprocessing, channel: number): number {
  return preprocessing.channels === 'BGR' ? 2 - channel : channel
}

function asInput(image: Image, preprocessing: Preprocessing): Image {
  checkPreprocessing(preprocessing)
  const { size, padding = 0 } = preprocessing
  if (image.width !== size || image.height !== size)
    throw new ShapeError(
      `the network wants crops of ${size} x ${size} pixels, got ${image.width} x ${image.height}`,
      {
        expected: `${size} x ${size}`,
        got: `${image.width} x ${image.height}`,
      },
    )
  return surround(withChannels(image, channelCount(preprocessing)), padding)
}

async function open(bytes: Uint8Array): Promise<Sharp> {
  // Loaded on demand: whoever feeds a network with tensors needs no image library.
  const { default: sharp } = await import('sharp')
  return sharp(bytes, { failOn: 'warning', autoOrient: true })
}

/** Width and height after orientation, read from the header alone. */
async function dimensions(bytes: Uint8Array): Promise<Size> {
  const { format, autoOrient } = await (await open(bytes)).metadata()
  if (!FORMATS.has(format)) throw new Error(`${format} is not supported, only JPEG, PNG, WebP, AVIF and GIF`)
  return autoOrient
}

function resize(image: Sharp, from: Size, to: Size, interpolation: Interpolation): Sharp {
  if (from.width === to.width && from.height === to.height) return image
  return image.resize(to.width, to.height, { fit: 'fill', kernel: KERNELS[interpolation] })
}

/** Shrinks in the image library, then enlarges what must be larger. */
async function resample(
  image: Sharp,
  from: Size,
  to: Size,
  crop: Rectangle,
  interpolation: Interpolation,
  channels: 1 | 3 = 3,
): Promise<Image> {
  const shrunk = { width: Math.min(from.width, to.width), height: Math.min(from.height, to.height) }
  const shrinking = resize(image, from, shrunk, interpolation)
  if (shrunk.width < to.width || shrunk.height < to.height) {
    const { width, height } = shrunk
    const whole = { left: 0, top: 0, width, height }
    return interpolate(await pixels(shrinking, channels), whole, to, crop, interpolation)
  }
  // The library reads no further than its output needs: a file that ends after the crop would pass for whole.
  return to.width * to.height > LARGEST_WHOLE
    ? pixels(shrinking.extract(crop), channels)
    : cut(await pixels(shrinking, channels), crop)
}

async function pixels(image: Sharp, channels: 1 | 3 = 3): Promise<Image> {
  const { data, info } = await image
    .flatten({ background: BACKGROUND })
    .toColourspace(channels === 3 ? 'srgb' : 'b-w')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  if (info.channels !== channels) throw new Error(`decoded to ${info.channels} channels, not ${channels}`)
  const { buffer, byteOffset, length } = data
  return {
    width: info.width,
    height: info.height,
    channels,
    data: new Uint8Array(buffer, byteOffset, length),
  }
}

/** Turns whatever goes wrong with an image into an {@link ImageError} that names it. */
async function refusing<T>(source: ImageSource, work: (bytes: Uint8Array) => Promise<T>): Promise<T> {
  try {
    // Files are read here and not by the image library, which would serve an overwritten file from its cache.
    return await work(typeof source === 'string' ? await readFile(source) : source)
  } catch (cause) {
    const subject = typeof source === 'string' ? source : `image of ${source.length} bytes`
    throw new ImageError(`cannot read ${subject}: ${reason(cause)}`, { subject, cause })
  }
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message.trim() : String(error)
  if (text.startsWith('ENOENT')) return 'no such file'
  if (text.startsWith('EISDIR')) return 'it is a folder'
  if (text.startsWith('EACCES')) return 'permission denied'
  if (text.endsWith('is empty')) return 'the file is empty'
  if (text.includes('unsupported image format')) return 'not an image, or one of an unsupported format'
  return text.split('\n', 1)[0]!
}
