import type { Row } from './results.js'

/** One kernel on one problem. Shares are of the machine's ceilings in the same run. */
export interface KernelRow extends Row {
  readonly op: string
  /** Where it was met first, and how often there. */
  readonly network: string
  readonly mode: string
  readonly batch: number
  readonly layer: string
  readonly count: number
  readonly problem: string
  readonly kernel: string
  readonly layout: string
  readonly flops: number
  readonly bytes: number
  readonly us: number
  readonly usLow: number
  readonly usHigh: number
  readonly gflops: number
  readonly gbs: number
  readonly ofGemm: number
  readonly ofTriad: number
  /** Of whichever ceiling is the lower for it: the least time that the machine could take, by the time taken. */
  readonly ofCeiling: number
  readonly ofCeilingLow: number
  readonly ofCeilingHigh: number
  /** The library called directly: the same kernel where it has it, and the ratio of its time to fovea's. */
  readonly directKernel: string
  readonly directUs: number
  readonly ratioLow: number
  readonly ratio: number
  readonly ratioHigh: number
  /** What the library takes by itself. */
  readonly firstKernel: string
  readonly firstUs: number
}

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
