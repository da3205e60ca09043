const MULTIPLIER_A = 0xd2511f53
const MULTIPLIER_B = 0xcd9e8d57
const WEYL_A = 0x9e3779b9
const WEYL_B = 0xbb67ae85

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words as a
 * pure function of a 128-bit counter and a 64-bit key.
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(MULTIPLIER_A, c0)
    const lowA = Math.imul(MULTIPLIER_A, c0)
    const highB = multiplyHigh(MULTIPLIER_B, c2)
    const lowB = Math.imul(MULTIPLIER_B, c2)
    ;[c0, c1, c2, c3] = [highB ^ c1 ^ k0, lowB, highA ^ c3 ^ k1, lowA]
    k0 = (k0 + WEYL_A) | 0
    k1 = (k1 + WEYL_B) | 0
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0]
}

/** Upper 32 bits of an unsigned 32 x 32 bit product. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16
  const aLow = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  return (aHigh * bHigh + Math.floor((middle + aLow * bHigh) / 0x10000)) | 0
}

/** A sequence of random numbers that (seed, stream) determines, whatever else was drawn before. */
export class RandomStream {
  private block: readonly number[] = []
  private used = 4
  private spare: number | null = null
  private counter = 0

  constructor(
    private readonly seed: number,
    private readonly stream: number,
  ) {}

  /** Uniform 32-bit integer. */
  word(): number {
    if (this.used === 4) {
      this.block = philox(
        [this.counter >>> 0, Math.floor(this.counter / 2 ** 32), this.stream, 0],
        [this.seed >>> 0, Math.floor(this.seed / 2 ** 32)],
      )
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
