import { crc32 } from 'node:zlib'
import type { Model } from '../../ts/model/model.js'
import type { Parameter } from '../../ts/nn/module.js'
import { elementCount, Tensor, type Shape } from '../../ts/tensor.js'

// Weights and images as a function of name, index and seed: the twin of test/data/reference/fixture_weights.py.

/** What a parameter is to its layer, in the words of the reference files. */
export type FixtureRole =
  'conv' | 'linear' | 'bias' | 'bn_weight' | 'bn_weight_residual' | 'bn_bias' | 'running_mean' | 'running_var'

const LEVELS = 16

/** The 16 values that a level may stand for, in [-1, 1]. */
const UNIT = Float64Array.from({ length: LEVELS }, (_, level) => (2 * level - 15) / 15)

/** `values[level(i)]` for every index i; `values` are what the 16 levels stand for. */
function fill(out: Float32Array | Float64Array, name: string, seed: number, values: ArrayLike<number>): void {
  let h = (crc32(name) ^ seed) | 0
  for (let i = 0; i < out.length; i++) {
    let k = h
    k ^= k >>> 16
    k = Math.imul(k, 0x85ebca6b)
    k ^= k >>> 13
    k = Math.imul(k, 0xc2b2ae35)
    k ^= k >>> 16
    out[i] = values[k >>> 28]!
    h = (h + 0x9e3779b9) | 0
  }
}

/** Numbers in [-1, 1], in steps of 2/15. */
export function levels(name: string, count: number, seed = 0): Float64Array {
  const out = new Float64Array(count)
  fill(out, name, seed, UNIT)
  return out
}

/** The values of a parameter. */
export function fixtureValue(name: string, shape: Shape, role: FixtureRole, seed = 0): Float32Array {
  const out = new Float32Array(elementCount(shape))
  // All is computed in double precision and rounded once.
  fill(out, name, seed, Float32Array.from(UNIT, scaling(role, shape)))
  return out
}

function scaling(role: FixtureRole, shape: Shape): (u: number) => number {
  switch (role) {
    case 'conv':
    case 'linear': {
      const deviation = Math.sqrt((3 * (role === 'conv' ? 2 : 1)) / elementCount(shape.slice(1)))
      return (u) => u * deviation
    }
    case 'bn_weight':
      return (u) => 1 + 0.25 * u
    case 'bn_weight_residual':
      return (u) => 0.25 * (1 + 0.25 * u)
    case 'running_var':
      return (u) => 1 + 0.5 * u
    case 'bias':
    case 'bn_bias':
    case 'running_mean':
      return (u) => 0.1 * u
  }
}

/** Flat blocks with a little grain: images whose features differ. */
export function fixtureImage(name: string, shape: readonly number[], seed = 0, block = 32): Tensor {
  const [n, c, h, w] = shape as [number, number, number, number]
  const rows = Math.ceil(h / block)
  const columns = Math.ceil(w / block)
  const coarse = levels(name, n * c * rows * columns, seed)
  const grain = levels(`${name}/grain`, n * c * h * w, seed)
  const data = new Float32Array(grain.length)
  for (let plane = 0, f = 0; plane < n * c; plane++)
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++, f++) {
        const b = (plane * rows + Math.floor(i / block)) * columns + Math.floor(j / block)
        data[f] = 2 * coarse[b]! + 0.5 * grain[f]!
      }
  return new Tensor(shape, data, 'f32')
}

const ROLES = {
  convolution: 'conv',
  linear: 'linear',
  bias: 'bias',
  coefficient: 'bn_weight',
  normWeight: 'bn_weight',
  normBias: 'bn_bias',
  runningMean: 'running_mean',
  runningVariance: 'running_var',
} as const satisfies Partial<Record<Parameter['role'], FixtureRole>>

/** The role of every parameter with values; the last batch norm of a residual block has its own. */
export function fixtureRoles(model: Model<'logits', string>): Map<string, FixtureRole> {
  const names = new Set(model.parameters.map(({ name }) => name))
  const residual = !model.name.startsWith('plain')
  const roles = new Map<string, FixtureRole>()
  for (const { name, role } of model.parameters) {
    if (role === 'counter') continue
    const [, block, position] = /^(layer\d+\.\d+\.bn)(\d)\.weight$/.exec(name) ?? []
    const lastOfBlock =
      block !== undefined && residual && !names.has(`${block}${Number(position) + 1}.weight`)
    roles.set(name, lastOfBlock ? 'bn_weight_residual' : ROLES[role])
  }
  return roles
}

/** Gives a model the weights that the reference files were computed with. */
export async function setFixtureWeights(model: Model<'logits', string>, seed = 0): Promise<void> {
  const roles = fixtureRoles(model)
  for (const { name, shape } of model.parameters) {
    const role = roles.get(name)
    if (role) await model.weights.set(name, fixtureValue(name, shape, role, seed))
  }
}
