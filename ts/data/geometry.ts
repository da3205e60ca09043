import type { Preprocessing } from './preprocessing.js'

/** In pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** A part of an image, in pixels. */
export interface Rectangle extends Size {
  readonly left: number
  readonly top: number
}

/** Size of an image whose shorter side is `shorter`; the longer one is cut to an integer as torchvision does. */
export function resizeShorterSide({ width, height }: Size, shorter: number): Size {
  return width <= height
    ? { width: shorter, height: Math.floor((shorter * height) / width) }
    : { width: Math.floor((shorter * width) / height), height: shorter }
}

/** The middle `size` x `size` pixels. */
export function centreSquare({ width, height }: Size, size: number): Rectangle {
  return {
    left: halfRoundedToEven(width - size),
    top: halfRoundedToEven(height - size),
    width: size,
    height: size,
  }
}

/** Sizes and positions of the usual evaluation: resize, then the centre crop. */
export function centreGeometry(
  width: number,
  height: number,
  { size, resize }: Preprocessing,
): { resized: Size; crop: Rectangle } {
  const resized =
    resize === 'exact' ? { width: size, height: size } : resizeShorterSide({ width, height }, resize)
  return { resized, crop: centreSquare(resized, size) }
}

/** Python's `round`, so that odd margins put the crop on the same pixels as torchvision. */
function halfRoundedToEven(margin: number): number {
  const floor = Math.floor(margin / 2)
  return margin % 2 === 0 || floor % 2 === 0 ? floor : floor + 1
}
