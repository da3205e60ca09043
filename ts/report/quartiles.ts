/** Median and quartiles of a sample. */
export interface Quartiles {
  readonly low: number
  readonly median: number
  readonly high: number
}

/** The value below which a share of a sample lies, between neighbours in proportion; NaN of an empty one. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)]!
  const above = sorted[Math.ceil(at)]!
  return below + (above - below) * (at - Math.floor(at))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quartiles(values: readonly number[]): Quartiles {
  return { low: quantile(values, 0.25), median: median(values), high: quantile(values, 0.75) }
}
