import { holdBesideCpu } from './beside-cpu.js'
import { KERNEL_CASES } from './kernel-cases.js'

// What the kernels of ours compute in each type, held against what the CPU computes in f32 from the very same numbers:
// they differ by the rounding of the results.

/** Rounding to 11 or 8 bits is at most half a unit of the last, and on average less; f32 has sums in other orders. */
const BOUNDS = { f32: 1e-6, f16: 2 ** -11, bf16: 2 ** -8 }

holdBesideCpu(KERNEL_CASES, BOUNDS)
