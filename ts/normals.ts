/**
 * Normal numbers from uniform words (Box and Muller 1958), one by one and, for millions of weights, in pairs of float32
 * at a quarter of the time.
 */

/** Distance from the centre of a pair of standard normal numbers. */
export function radiusOf(word: number): number {
  return Math.sqrt(-2 * Math.log((word + 1) / 2 ** 32))
}

/** Direction of a pair of normal numbers. */
export function angleOf(word: number): number {
  return 2 * Math.PI * (word / 2 ** 32)
}

/** The circle in parts, each known in its middle. */
const PART_BITS = 22
const PART = 1 << PART_BITS
const middles = Float64Array.from({ length: 2 ** 32 / PART }, (_, i) => angleOf((i + 0.5) * PART))
const sines = middles.map(Math.sin)
const cosines = middles.map(Math.cos)

/** The numbers from 1 to 2 in parts, each known in its middle. */
const STEPS = 1 << 8
const inverses = Float64Array.from({ length: STEPS }, (_, i) => 1 / (1 + (i + 0.5) / STEPS))
const logarithms = inverses.map((inverse) => -Math.log(inverse))
/** What takes a word with so many leading zeros to [1, 2). */
const scales = Float64Array.from({ length: 32 }, (_, zeros) => 2 ** (zeros - 31))

/** Beyond it the logarithm is too close to 0 for the table. */
const LAST = 0xfff00000
/** How far the tables and series below may be off, relative to the radius, ten times over. */
const DOUBT = 1e-11

/**
 * Writes normal numbers to `out`, a pair for each pair of words: `deviation` times radius times cosine and sine, rounded
 * to float32, to the bit. Tables and short series give them; where they leave open to which float32 a number is
 * rounded, the functions of the language decide.
 *
 * @param words - an even number
 * @param at - where in `out` to begin
 */
export function writePairs(words: Uint32Array, deviation: number, out: Float32Array, at: number): void {
  for (let i = 0; i < words.length; i += 2) {
    const word0 = words[i]!
    const word1 = words[i + 1]!
    const n = word0 + 1
    const zeros = Math.clz32(n)
    // n = 2^(31 - zeros) (1 + r) / inverse
    const step = ((n << zeros) >>> 23) & (STEPS - 1)
    const r = n * scales[zeros]! * inverses[step]! - 1
    const series = r * (1 - r * (1 / 2 - r * (1 / 3 - r * (1 / 4))))
    const logarithm = (-1 - zeros) * Math.LN2 + logarithms[step]! + series
    const radius = deviation * Math.sqrt(-2 * logarithm)

    const part = word1 >>> PART_BITS
    const d = angleOf((word1 & (PART - 1)) - PART / 2)
    const square = d * d
    const sine = d * (1 - square * (1 / 6 - square * (1 / 120)))
    const cosine = 1 - square * (1 / 2 - square * (1 / 24))
    const x = radius * (cosines[part]! * cosine - sines[part]! * sine)
    const y = radius * (sines[part]! * cosine + cosines[part]! * sine)

    const doubt = radius * DOUBT
    const first = Math.fround(x - doubt)
    const second = Math.fround(y - doubt)
    if (word0 <= LAST && first === Math.fround(x + doubt) && second === Math.fround(y + doubt)) {
      out[at + i] = first
      out[at + i + 1] = second
    } else {
      out[at + i] = deviation * (radiusOf(word0) * Math.cos(angleOf(word1)))
      out[at + i + 1] = deviation * (radiusOf(word0) * Math.sin(angleOf(word1)))
    }
  }
}
