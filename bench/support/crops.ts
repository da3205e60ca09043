import sharp from 'sharp'
import { loadImage, type Image } from '../../ts/data/image.js'
import type { Preprocessing } from '../../ts/data/preprocessing.js'
import { RandomStream } from '../../ts/random.js'

/** Square parts of photographs, from a quarter to all of the shorter side, some of them mirrored. */
export async function crops(
  photographs: readonly string[],
  count: number,
  preprocessing: Preprocessing,
  seed: number,
): Promise<Image[]> {
  const random = new RandomStream(seed, 0)
  const images: Image[] = []
  for (let i = 0; i < count; i++) {
    const path = photographs[i % photographs.length]!
    const { width, height } = await sharp(path).metadata()
    const side = Math.floor(Math.min(width, height) * (0.25 + 0.75 * random.uniform()))
    const left = Math.floor((width - side) * random.uniform())
    const top = Math.floor((height - side) * random.uniform())
    const part = sharp(path)
      .extract({ left, top, width: side, height: side })
      .flop(i % 2 === 1)
    images.push(await loadImage(await part.png().toBuffer(), preprocessing))
  }
  return images
}
