import type { RandomStream } from '../../random.js'
import { decodeShrunk, type ImageSource } from '../image.js'
import type { Size } from '../geometry.js'
import { withChannels, type Image } from '../pixels.js'
import { channelCount, type Preprocessing } from '../preprocessing.js'
import { recolour } from './colour.js'
import { isGeometric, type Colouring, type Geometric, type Transform } from './transform.js'
import { chooseView, render, shrinkFactor, type View } from './view.js'

/**
 * Draws one augmented version of an image: `preprocessing.size` pixels square, grey or RGB.
 *
 * @param image - decoded pixels, which are left as they are; or a file's path or bytes, of which no more than
 * needed is decoded
 * @param random - decides everything that is random
 * @throws ImageError when it cannot be read
 * @throws ShapeError when it is too small for a crop
 */
export async function augment(
  image: Image | ImageSource,
  transforms: readonly Transform[],
  preprocessing: Preprocessing,
  random: RandomStream,
): Promise<Image> {
  const geometric: Geometric[] = []
  const colouring: Colouring[] = []
  for (const transform of transforms)
    if (isGeometric(transform)) geometric.push(transform)
    else colouring.push(transform)
  const choose = (size: Size) => chooseView(size, geometric, preprocessing, random)
  const { pixels, view, size } = isImage(image)
    ? { pixels: image, view: choose(image), size: image }
    : await decodeForView(image, choose)
  const seen = withChannels(render(pixels, view, size, preprocessing), channelCount(preprocessing))
  recolour(seen, colouring, random)
  return seen
}

async function decodeForView(source: ImageSource, choose: (size: Size) => View) {
  let size: Size | undefined
  let view: View | undefined
  const pixels = await decodeShrunk(source, (found) => {
    size = found
    view = choose(found)
    return shrinkFactor(view)
  })
  return { pixels, view: view!, size: size! }
}

/** Whether these are decoded pixels, rather than what {@link decodeShrunk} reads. */
export function isImage(image: Image | ImageSource): image is Image {
  return typeof image === 'object' && 'channels' in image
}
