import { centreSquare, resizeShorterSide, type Rectangle } from './geometry.js'
import { cropCentre, resizeAndCut } from './image.js'
import { cut, mirror, withChannels, type Image } from './pixels.js'
import { channelCount, checkPreprocessing, type Preprocessing } from './preprocessing.js'

/** How many crops of an image an evaluation averages over. */
export type CropCount = 1 | 10 | 144

/** GoogLeNet's four scales, for crops of 224; other crop sizes use them in proportion. */
const SCALES = [256, 288, 320, 352]
const SCALES_CROP = 224

/**
 * Crops of a decoded image whose predictions are averaged.
 *
 * - 1: the centre, as `loadImage` cuts it.
 * - 10 (AlexNet, section 4.1): of the central square of the resized image, the four corners and the centre
 *   (top left, top right, bottom left, bottom right, centre), then the mirror images of these five.
 * - 144 (GoogLeNet, section 7): shorter side 256, 288, 320, 352; of each the left, centre and right square (top,
 *   centre, bottom of a portrait); of each square the four corners, the centre and the whole square resized to
 *   the crop's size; and of these six the mirror images.
 */
export async function crops(image: Image, count: CropCount, preprocessing: Preprocessing): Promise<Image[]> {
  checkPreprocessing(preprocessing)
  if (count === 1) return [await cropCentre(image, preprocessing)]
  const source = withChannels(image, channelCount(preprocessing))
  const cut = count === 10 ? await tenCrop(source, preprocessing) : await everyScale(source, preprocessing)
  return cut.flatMap((group) => [...group, ...group.map(mirror)])
}

async function tenCrop(image: Image, preprocessing: Preprocessing): Promise<Image[][]> {
  const { size, interpolation } = preprocessing
  const shorter = preprocessing.resize === 'exact' ? inProportion(SCALES[0]!, size) : preprocessing.resize
  const resized = resizeShorterSide(image, shorter)
  const square = await resizeAndCut(image, resized, centreSquare(resized, shorter), interpolation)
  return [cornersAndCentre(square, size)]
}

async function everyScale(image: Image, { size, interpolation }: Preprocessing): Promise<Image[][]> {
  const whole = { left: 0, top: 0, width: size, height: size }
  const squares = SCALES.flatMap((scale) => {
    const shorter = inProportion(scale, size)
    const resized = resizeShorterSide(image, shorter)
    return threeSquares(resized, shorter).map((place) => ({ resized, place }))
  })
  return Promise.all(
    squares.map(async ({ resized, place }) => {
      const square = await resizeAndCut(image, resized, place, interpolation)
      return [
        ...cornersAndCentre(square, size),
        await resizeAndCut(square, { width: size, height: size }, whole, interpolation),
      ]
    }),
  )
}

function inProportion(scale: number, size: number): number {
  return Math.round((scale * size) / SCALES_CROP)
}

/** Both ends and the middle of the longer side. */
function threeSquares(resized: { width: number; height: number }, side: number): Rectangle[] {
  const centre = centreSquare(resized, side)
  const first = { ...centre, left: 0, top: 0 }
  const last = { ...centre, left: resized.width - side, top: resized.height - side }
  return [first, centre, last]
}

function cornersAndCentre(square: Image, size: number): Image[] {
  const far = square.width - size
  const corners = [0, far].flatMap((top) =>
    [0, far].map((left) => ({ left, top, width: size, height: size })),
  )
  return [...corners, centreSquare(square, size)].map((place) => cut(square, place))
}
