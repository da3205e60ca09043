import type { Rectangle } from './geometry.js'

/** Decoded pixels: 8 bit sRGB (`channels` 3) or grey (1), rows from the top, channels innermost. */
export interface Image {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3
  readonly data: Uint8Array
}

/** The pixels of a part of an image. */
export function cut(image: Image, { left, top, width, height }: Rectangle): Image {
  const { channels, data } = image
  const part = new Uint8Array(width * height * channels)
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * image.width + left) * channels
    part.set(data.subarray(from, from + width * channels), row * width * channels)
  }
  return { width, height, channels, data: part }
}

/** The image in a black frame of the given width. */
export function surround(image: Image, frame: number): Image {
  if (frame === 0) return image
  const { channels, data } = image
  const width = image.width + 2 * frame
  const height = image.height + 2 * frame
  const framed = new Uint8Array(width * height * channels)
  const row = image.width * channels
  for (let y = 0; y < image.height; y++)
    framed.set(data.subarray(y * row, (y + 1) * row), ((y + frame) * width + frame) * channels)
  return { width, height, channels, data: framed }
}

/** The image mirrored left to right. */
export function mirror({ width, height, channels, data }: Image): Image {
  const mirrored = new Uint8Array(data.length)
  for (let row = 0; row < height; row++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        mirrored[(row * width + width - 1 - x) * channels + c] = data[(row * width + x) * channels + c]!
  return { width, height, channels, data: mirrored }
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
