import { philox, RandomStream } from '../random.js'

/** What random numbers are for; each purpose has its own. */
const PURPOSES = { order: 1, augmentation: 2, mixup: 3 } as const

/**
 * The random numbers of one image, batch or order: a function of nothing but these, so that they are the same
 * whichever thread draws them, and after whatever.
 *
 * @param epoch - an integer below 2^32
 * @param number - of the image in its data set, or of the batch in its epoch
 */
export function stream(
  purpose: keyof typeof PURPOSES,
  seed: number,
  epoch: number,
  number: number,
): RandomStream {
  // A seed for the epoch; the last word of the counter keeps it apart from the numbers of the stream itself.
  const words = philox([epoch, 0, 0, PURPOSES[purpose]], [seed, seed / 2 ** 32])
  return new RandomStream(words[0]! + (words[1]! & 0x1fffff) * 2 ** 32, number)
}

/** The numbers from 0 to `count - 1` in random order (Fisher and Yates). */
export function permutation(count: number, random: RandomStream): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = below(random, i + 1)
    const swapped = order[i]!
    order[i] = order[j]!
    order[j] = swapped
  }
  return order
}

/** Uniform in [low, high). */
export function between(random: RandomStream, low: number, high: number): number {
  return low + (high - low) * random.uniform()
}

/** Uniform among the integers from 0 to `count - 1`. */
export function below(random: RandomStream, count: number): number {
  return Math.floor(random.uniform() * count)
}
