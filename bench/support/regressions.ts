import type { KernelRow } from './rows.js'

/** A kernel that has become slower. */
export interface Regression {
  readonly row: KernelRow
  /** Share of the ceiling that it had. */
  readonly before: number
}

/** Smaller losses are noise. */
const TOLERANCE = 0.1

/**
 * Problems that are solved more slowly than in an earlier run. Shares of the ceilings are compared, which the speed
 * of the machine at the time cancels out of; their quartiles must be apart.
 */
export function regressions(rows: readonly KernelRow[], earlier: readonly KernelRow[]): Regression[] {
  const keyOf = ({ problem, mode }: KernelRow) => `${mode} ${problem}`
  const known = new Map(earlier.map((row) => [keyOf(row), row]))
  return rows.flatMap((row) => {
    const before = known.get(keyOf(row))
    if (!before) return []
    const lost = row.ofCeiling < (1 - TOLERANCE) * before.ofCeiling
    return lost && row.ofCeilingHigh < before.ofCeilingLow ? [{ row, before: before.ofCeiling }] : []
  })
}
