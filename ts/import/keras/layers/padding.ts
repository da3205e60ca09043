import type { Value } from '../../../graph/graph.js'
import type { Edges, Pair } from '../../../graph/schema.js'
import type { Config } from '../config.js'

export type PaddingMode = 'valid' | 'same'

export function paddingOf(config: Config): PaddingMode {
  return config.word('padding', ['valid', 'same'], 'valid')
}

/**
 * The padding of TensorFlow's `same`, which depends on the image: the result has `ceil(size / stride)` rows, and what
 * that lacks is put on both sides, the odd one behind.
 */
export function edgesFor(
  mode: PaddingMode,
  x: Value,
  kernel: Pair,
  stride: Pair,
  dilation: Pair = [1, 1],
): Edges {
  if (mode === 'valid') return [0, 0, 0, 0]
  const [top, bottom] = same(x.shape[2]!, dilation[0] * (kernel[0] - 1) + 1, stride[0])
  const [left, right] = same(x.shape[3]!, dilation[1] * (kernel[1] - 1) + 1, stride[1])
  return [top, left, bottom, right]
}

function same(size: number, extent: number, stride: number): Pair {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size)
  const before = Math.floor(total / 2)
  return [before, total - before]
}
