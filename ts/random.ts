import { angleOf, radiusOf, writePairs } from './normals.js'

const MULTIPLIER_A = 0xd2511f53
const MULTIPLIER_B = 0xcd9e8d57
const WEYL_A = 0x9e3779b9
const WEYL_B = 0xbb67ae85

/** That a stream has ready. */
const MOST_WORDS = 1 << 12

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words as a
 * pure function of a 128-bit counter and a 64-bit key.
 */
export function philox(
  [counter0, counter1, counter2, counter3]: readonly [number, number, number, number],
  [key0, key1]: readonly [number, number],
): Uint32Array {
  const out = new Uint32Array(4)
  writeBlock(out, 0, counter0, counter1, counter2, counter3, key0, key1)
  return out
}

/** The words of {@link philox}, to `out`. */
function writeBlock(
  out: Uint32Array,
  at: number,
  counter0: number,
  counter1: number,
  counter2: number,
  counter3: number,
  key0: number,
  key1: number,
): void {
  let c0 = counter0 | 0
  let c1 = counter1 | 0
  let c2 = counter2 | 0
  let c3 = counter3 | 0
  let k0 = key0 | 0
  let k1 = key1 | 0
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(MULTIPLIER_A, c0)
    const highB = multiplyHigh(MULTIPLIER_B, c2)
    const lowA = Math.imul(MULTIPLIER_A, c0)
    const lowB = Math.imul(MULTIPLIER_B, c2)
    c0 = highB ^ c1 ^ k0
    c2 = highA ^ c3 ^ k1
    c1 = lowB
    c3 = lowA
    k0 = (k0 + WEYL_A) | 0
    k1 = (k1 + WEYL_B) | 0
  }
  out[at] = c0
  out[at + 1] = c1
  out[at + 2] = c2
  out[at + 3] = c3
}

/** Upper 32 bits of an unsigned 32 x 32 bit product. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16
  const aLow = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  // Products of 16 bits are taken as signed 32-bit integers and read as unsigned.
  const low = Math.imul(aLow, bLow) >>> 16
  const first = (Math.imul(aHigh, bLow) >>> 0) + low
  const second = (Math.imul(aLow, bHigh) >>> 0) + (first & 0xffff)
  return (Math.imul(aHigh, bHigh) + (first >>> 16) + (second >>> 16)) | 0
}

/**
 * A sequence of random numbers that (seed, stream) determines, whatever else was drawn before: streams of one seed
 * do not depend on each other.
 */
export class RandomStream {
  private words = new Uint32Array(4)
  private used = 4
  private spare: number | null = null
  private counter = 0

  /**
   * @param seed - an integer that is not negative
   * @param stream - an integer below 2^32
   */
  constructor(
    private readonly seed: number,
    private readonly stream: number,
  ) {}

  /** Uniform 32-bit integer. */
  word(): number {
    if (this.used === this.words.length) this.refill()
    return this.words[this.used++]!
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.word() / 2 ** 32
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    if (this.spare !== null) {
      const value = this.spare
      this.spare = null
      return value
    }
    const radius = radiusOf(this.word())
    const angle = angleOf(this.word())
    this.spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** Fills an array with what as many calls of {@link normal} give, times `deviation`. */
  fillNormal(data: Float32Array, deviation: number): void {
    let i = 0
    if (this.spare !== null && data.length > 0) data[i++] = deviation * this.normal()
    const buffer = new Uint32Array(Math.min(MOST_WORDS, data.length))
    while (i + 1 < data.length) {
      const words = buffer.subarray(0, (data.length - i) & ~1)
      this.fillWords(words)
      writePairs(words, deviation, data, i)
      i += words.length
    }
    if (i < data.length) data[i] = deviation * this.normal()
  }

  /** What as many calls of {@link word} give. */
  private fillWords(out: Uint32Array): void {
    for (let done = 0; done < out.length;) {
      if (this.used === this.words.length) this.refill()
      const ready = this.words.subarray(this.used, this.used + out.length - done)
      out.set(ready, done)
      this.used += ready.length
      done += ready.length
    }
  }

  /** The next words: few at first, as most streams give no more, then many at a time. */
  private refill(): void {
    const { counter, stream, seed } = this
    if (counter > 0 && this.words.length < MOST_WORDS) this.words = new Uint32Array(2 * this.words.length)
    const { words } = this
    const blocks = words.length / 4
    for (let i = 0; i < blocks; i++)
      writeBlock(words, 4 * i, counter + i, (counter + i) / 2 ** 32, stream, 0, seed, seed / 2 ** 32)
    this.counter += blocks
    this.used = 0
  }
}
