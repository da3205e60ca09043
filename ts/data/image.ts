import sharp, { type Sharp } from 'sharp'
import { ImageError, ShapeError } from '../errors.js'
import { Tensor, tensor } from '../tensor.js'
import { centreGeometry } from './geometry.js'
import { channelCount, checkPreprocessing, type Interpolation, type Preprocessing } from './preprocessing.js'

/** A file's path, or the bytes of an encoded image. */
export type ImageSource = string | Uint8Array

/** Decoded pixels: 8 bit sRGB (`channels` 3) or grey (1), rows from the top, channels innermost. */
export interface Image {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3
  readonly data: Uint8Array
}

/** sharp would also draw SVG and read scientific formats; a classifier that meets one has the wrong file. */
const FORMATS: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp', 'gif', 'heif'])

const KERNELS = {
  nearest: 'nearest',
  bilinear: 'linear',
  bicubic: 'cubic',
  lanczos3: 'lanczos3',
} as const satisfies Record<Interpolation, string>

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
  return refusing(source, async () => {
    await dimensions(source)
    return pixels(open(source))
  })
}

/**
 * Decodes an image, resizes its shorter side and cuts out the centre: `preprocessing.size` pixels square, grey or
 * RGB (the order BGR and the normalisation are left to {@link normalize} and {@link packBytes}).
 *
 * All work is done by the threads of the image library.
 *
 * @throws ImageError naming the file and the reason.
 */
export async function loadImage(source: ImageSource, preprocessing: Preprocessing): Promise<Image> {
  checkPreprocessing(preprocessing)
  const image = await refusing(source, async () => {
    const { width, height } = await dimensions(source)
    const { resized, crop } = centreGeometry(width, height, preprocessing)
    return pixels(resize(open(source), { width, height }, resized, preprocessing.interpolation).extract(crop))
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
  crop: Size & { readonly left: number; readonly top: number },
  interpolation: Interpolation,
): Promise<Image> {
  const { width, height, channels, data } = image
  const whole = crop.width === width && crop.height === height
  if (whole && resized.width === width && resized.height === height) return image
  const raw = sharp(data, { raw: { width, height, channels } })
  return pixels(resize(raw, image, resized, interpolation).extract(crop), channels)
}

/** Loads images of any sizes into one normalised batch `[N, C, H, W]`, several at a time. */
export async function loadBatch(
  sources: readonly ImageSource[],
  preprocessing: Preprocessing,
): Promise<Tensor> {
  return toTensor(await Promise.all(sources.map((source) => loadImage(source, preprocessing))), preprocessing)
}

/** As {@link loadBatch}, but leaves the normalisation to the device: bytes `[N, H, W, C]`. */
export async function loadByteBatch(
  sources: readonly ImageSource[],
  preprocessing: Preprocessing,
): Promise<Tensor<'u8'>> {
  return toByteTensor(
    await Promise.all(sources.map((source) => loadImage(source, preprocessing))),
    preprocessing,
  )
}

/** Normalises crops into a batch `[N, C, H, W]`. */
export function toTensor(images: readonly Image[], preprocessing: Preprocessing): Tensor {
  const { size } = preprocessing
  const channels = channelCount(preprocessing)
  const data = new Float32Array(images.length * channels * size * size)
  images.forEach((image, i) => normalize(image, preprocessing, data, i * channels * size * size))
  return tensor(data, [images.length, channels, size, size])
}

/** Lays crops one after the other as bytes `[N, H, W, C]`, channels in the order that the network wants. */
export function toByteTensor(images: readonly Image[], preprocessing: Preprocessing): Tensor<'u8'> {
  const { size } = preprocessing
  const channels = channelCount(preprocessing)
  const data = new Uint8Array(images.length * channels * size * size)
  images.forEach((image, i) => packBytes(image, preprocessing, data, i * channels * size * size))
  return new Tensor([images.length, size, size, channels], data, 'u8')
}

/** Writes a crop at `offset` of `out` as normalised planes, channels first. */
export function normalize(image: Image, preprocessing: Preprocessing, out: Float32Array, offset = 0): void {
  const { channels, data } = asInput(image, preprocessing)
  const { scale, mean, deviation } = preprocessing
  const plane = preprocessing.size ** 2
  for (let c = 0; c < channels; c++) {
    const table = Float32Array.from({ length: 256 }, (_, pixel) => (pixel * scale - mean[c]!) / deviation[c]!)
    const from = sourceChannel(preprocessing, c)
    const start = offset + c * plane
    for (let i = 0, j = from; i < plane; i++, j += channels) out[start + i] = table[data[j]!]!
  }
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

interface Size {
  readonly width: number
  readonly height: number
}

function sourceChannel(preprocessing: Preprocessing, channel: number): number {
  return preprocessing.channels === 'BGR' ? 2 - channel : channel
}

function asInput(image: Image, preprocessing: Preprocessing): Image {
  checkPreprocessing(preprocessing)
  const { size } = preprocessing
  if (image.width !== size || image.height !== size)
    throw new ShapeError(
      `the network wants crops of ${size} x ${size} pixels, got ${image.width} x ${image.height}`,
      {
        expected: `${size} x ${size}`,
        got: `${image.width} x ${image.height}`,
      },
    )
  return withChannels(image, channelCount(preprocessing))
}

/** Grey to three equal channels, or RGB to its luma (ITU-R 601, the weights that Pillow uses for `L`). */
export function withChannels(image: Image, channels: 1 | 3): Image {
  if (image.channels === channels) return image
  const { width, height, data: from } = image
  const data = new Uint8Array(width * height * channels)
  if (channels === 3) for (let i = 0; i < from.length; i++) data.fill(from[i]!, 3 * i, 3 * i + 3)
  else
    for (let i = 0, j = 0; i < data.length; i++, j += 3)
      data[i] = (19595 * from[j]! + 38470 * from[j + 1]! + 7471 * from[j + 2]! + 0x8000) >> 16
  return { width, height, channels, data }
}

function open(source: ImageSource): Sharp {
  return sharp(source, { failOn: 'warning', autoOrient: true })
}

/** Width and height after orientation, read from the header alone. */
async function dimensions(source: ImageSource): Promise<Size> {
  const { format, autoOrient } = await open(source).metadata()
  if (!FORMATS.has(format)) throw new Error(`${format} is not supported, only JPEG, PNG, WebP, AVIF and GIF`)
  return autoOrient
}

function resize(image: Sharp, from: Size, to: Size, interpolation: Interpolation): Sharp {
  if (from.width === to.width && from.height === to.height) return image
  return image.resize(to.width, to.height, { fit: 'fill', kernel: KERNELS[interpolation] })
}

async function pixels(image: Sharp, channels: 1 | 3 = 3): Promise<Image> {
  const { data, info } = await image
    .flatten({ background: BACKGROUND })
    .toColourspace(channels === 3 ? 'srgb' : 'b-w')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  if (info.channels !== channels) throw new Error(`decoded to ${info.channels} channels, not ${channels}`)
  return { width: info.width, height: info.height, channels, data }
}

/** Turns whatever the decoder says into an {@link ImageError} that names the image. */
async function refusing<T>(source: ImageSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const subject = typeof source === 'string' ? source : `image of ${source.length} bytes`
    const text = cause instanceof Error ? cause.message : String(cause)
    throw new ImageError(`cannot read ${subject}: ${reason(text, source)}`, { subject, cause })
  }
}

function reason(message: string, source: ImageSource): string {
  if (/^Input file is missing/.test(message)) return 'no such file'
  if (/is empty$/.test(message)) return 'the file is empty'
  if (/unsupported image format/.test(message)) return 'not an image, or one of an unsupported format'
  const [first = message] = message.trim().split('\n')
  return typeof source === 'string' ? first.replace(`${source}: `, '') : first
}
