import { InvalidArgumentError } from '../errors.js'

const BINS = 4096

/** Counts magnitudes in bins of one width, which grows with the largest that is seen: always a power of two. */
export class MagnitudeHistogram {
  private counts = new Float64Array(BINS)
  private limit = 2 ** -40
  private total = 0
  private largest = 0

  constructor(private readonly name: string) {}

  /** @throws InvalidArgumentError for a value that is not finite */
  add(values: Float32Array): void {
    let largest = 0
    for (const value of values) largest = Math.max(largest, Math.abs(value))
    if (!Number.isFinite(largest))
      throw new InvalidArgumentError(`${this.name}: expected finite activations, got ${largest}`, {
        subject: this.name,
        expected: 'finite activations',
        got: String(largest),
      })
    this.largest = Math.max(this.largest, largest)
    while (this.limit <= largest) this.widen()
    const binsAUnit = BINS / this.limit
    for (const value of values) this.counts[Math.floor(Math.abs(value) * binsAUnit)]!++
    this.total += values.length
  }

  /** A magnitude that this fraction of the values does not exceed; the largest of all where that is less. */
  quantile(fraction: number): number {
    let seen = 0
    let bin = 0
    while (bin < BINS && seen < fraction * this.total) seen += this.counts[bin++]!
    return Math.min(this.largest, (bin / BINS) * this.limit)
  }

  private widen(): void {
    this.limit *= 2
    const narrow = this.counts
    this.counts = narrow.map((_, bin) => (2 * bin < BINS ? narrow[2 * bin]! + narrow[2 * bin + 1]! : 0))
  }
}
