const MULTIPLIER_A = 0xd2511f53
const MULTIPLIER_B = 0xcd9e8d57
const WEYL_A = 0x9e3779b9
const WEYL_B = 0xbb67ae85

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words as a
 * pure function of a 128-bit counter and a 64-bit key.
 */
export function philox(
  [counter0, counter1, counter2, counter3]: readonly [number, number, number, number],
  [key0, key1]: readonly [number, number],
  out: Uint32Array = new Uint32Array(4),
): Uint32Array {
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
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
  return out
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
  private readonly block = new Uint32Array(4)
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
    if (this.used === 4) {
      const counter = [this.counter, this.counter / 2 ** 32, this.stream, 0] as const
      philox(counter, [this.seed, this.seed / 2 ** 32], this.block)
      this.counter++
      this.used = 0
    }
    return this.block[this.used++]!
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
    const radius = Math.sqrt(-2 * Math.log((this.word() + 1) / 2 ** 32))
    const angle = 2 * Math.PI * this.uniform()
    this.spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}
