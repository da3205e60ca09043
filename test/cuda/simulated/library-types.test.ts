import { holdBesideCpu } from './beside-cpu.js'
import { LIBRARY_CASES } from './library-cases.js'

// What cuDNN and cuBLAS are asked for, and the kernels of ours beside them, in each type, held against the CPU in f32.

/** Half a unit of the last of 11 or 8 bits is the most that rounding a result costs; where a step between is rounded too, twice that. */
const BOUNDS = { f32: 1e-5, f16: 2 ** -10, bf16: 2 ** -7 }

holdBesideCpu(LIBRARY_CASES, BOUNDS)
