import { holdBesideCpu } from './beside-cpu.js'

// What both backends make of a loss's scale.

const scalars = [[4], 'f32'] as const
const norm = [[1], 'f32'] as const
const state = [[2], 'f32'] as const
const unscale = (norms: number, scale: number, finite: number) => ({
  op: 'unscaleGradients',
  attributes: { interval: 3 },
  inputs: [scalars, norm, state],
  outputs: [scalars, norm, { updates: 2 }],
  data: { 0: [0.5, 0.25, 2, 4], 1: [norms], 2: [scale, finite] },
})

holdBesideCpu(
  [
    {
      op: 'scaleGradient',
      inputs: [[[5, 37]], state],
      outputs: [[[5, 37]]],
      data: { 1: [32, 0] },
    },
    unscale(8, 32, 0),
    unscale(8, 32, 2),
    // No float is twice as large.
    unscale(8, 2 ** 127, 2),
  ],
  { f32: 1e-7, f16: 1e-3, bf16: 1e-2 },
)
