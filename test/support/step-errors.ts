import { elementCount, tensor, type Tensor } from '../../ts/tensor.js'
import { levels } from './fixture-weights.js'

// How a training step is held against what PyTorch computes in double precision.

/** Options of a network that take its dropout away, as the reference files have it. */
export function withoutDropout(network: string): object {
  if (network === 'googlenet') return { dropout: 0, auxiliaryDropout: 0 }
  return /^(alexnet|vgg|inception)/.test(network) ? { dropout: 0 } : {}
}

/** Outputs of a network with so many auxiliary heads, in the order of the reference files. */
export function headsOf(auxiliary: number): readonly string[] {
  if (auxiliary > 1) return ['logits', 'aux1', 'aux2']
  return auxiliary === 1 ? ['logits', 'aux'] : ['logits']
}

/** Gradient of the mean cross-entropy of the softmax, in float64. */
export function crossEntropyGradient(
  { data, shape }: Tensor,
  labels: readonly number[],
  weight: number,
): Tensor {
  const [n, classes] = shape as [number, number]
  const gradient = new Float32Array(elementCount(shape))
  for (let i = 0; i < n; i++) {
    const logits = Array.from(data.subarray(i * classes, (i + 1) * classes))
    const largest = Math.max(...logits)
    const exponentials = logits.map((logit) => Math.exp(logit - largest))
    const sum = exponentials.reduce((total, value) => total + value, 0)
    exponentials.forEach((value, k) => {
      gradient[i * classes + k] = (weight * (value / sum - (k === labels[i] ? 1 : 0))) / n
    })
  }
  return tensor(gradient, shape)
}

/** Relative error of the l2 norm; error of the probe in units of l2 / sqrt(count). */
export function errorsOf(
  name: string,
  data: Float32Array,
  [l2, probe]: readonly [number, number],
): { readonly norm: number; readonly probe: number } {
  const directions = levels(`probe/${name}`, data.length)
  let square = 0
  let dot = 0
  data.forEach((value, i) => {
    square += value * value
    dot += value * directions[i]!
  })
  const root = Math.sqrt(data.length)
  return { norm: Math.abs(Math.sqrt(square) - l2) / l2, probe: Math.abs(dot / root - probe) / (l2 / root) }
}

export interface Spread {
  readonly worst: number
  readonly median: number
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { worst: sorted.at(-1)!, median: sorted[Math.floor(sorted.length / 2)]! }
}
