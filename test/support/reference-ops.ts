import type { Node } from '../../ts/graph/graph.js'
import type { OpName } from '../../ts/graph/schema.js'
import { elementCount, type Shape } from '../../ts/tensor.js'
import { philox } from '../../ts/random.js'

// What every forward operation computes, in double precision and in the plainest way: native/ops.h as loops.

/** A dense row-major array. */
export interface Dense {
  readonly shape: Shape
  readonly data: Float64Array
}

type Image = readonly [n: number, c: number, height: number, width: number]

/** The results of a node, given its operands; what only a backward half reads is left out. */
type Reference<Op extends OpName> = (
  node: Node<Op>,
  inputs: readonly (Dense | undefined)[],
) => Dense | readonly (Dense | null)[]

export function dense(shape: Shape, data: ArrayLike<number>): Dense {
  return { shape, data: Float64Array.from(data) }
}

/** `[N, C, H, W]` of any shape: what has no height and width is one pixel. */
function asImage(shape: Shape): Image {
  const [n = 1, c = 1, ...rest] = shape
  return rest.length === 2 ? [n, c, rest[0]!, rest[1]!] : [n, c, elementCount(rest), 1]
}

/** An array from what each element is. */
function each(shape: Shape, value: (n: number, c: number, i: number, j: number) => number): Dense {
  const [batch, channels, height, width] = asImage(shape)
  const data = new Float64Array(elementCount(shape))
  let at = 0
  for (let n = 0; n < batch; n++)
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < height; i++) for (let j = 0; j < width; j++) data[at++] = value(n, c, i, j)
  return { shape, data }
}

/** Reads an element; null outside the image. */
function reader({ shape, data }: Dense): (n: number, c: number, i: number, j: number) => number | null {
  const [, channels, height, width] = asImage(shape)
  return (n, c, i, j) =>
    c < 0 || c >= channels || i < 0 || i >= height || j < 0 || j >= width
      ? null
      : data[((n * channels + c) * height + i) * width + j]!
}

function map(x: Dense, value: (element: number, index: number) => number): Dense {
  return { shape: x.shape, data: x.data.map(value) }
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** Sum over a range. */
function range(count: number, term: (i: number) => number): number {
  let total = 0
  for (let i = 0; i < count; i++) total += term(i)
  return total
}

function pixels(x: Dense, channel: number): number[] {
  const [batch, channels, height, width] = asImage(x.shape)
  const size = height * width
  return Array.from({ length: batch }, (_, n) => {
    const begin = (n * channels + channel) * size
    return [...x.data.subarray(begin, begin + size)]
  }).flat()
}

const convolution: Reference<'convolution'> = (
  { attributes: { stride, padding, dilation, groups }, outputs: [y] },
  [x, weight, bias, residual],
) => {
  const [outputs, depth, rows, columns] = asImage(weight!.shape)
  const image = reader(x!)
  const kernel = reader(weight!)
  const rest = residual && reader(residual)
  return each(y!.shape, (n, o, i, j) => {
    const first = Math.floor(o / (outputs / groups)) * depth
    let total = (bias?.data[o] ?? 0) + (rest?.(n, o, i, j) ?? 0)
    for (let c = 0; c < depth; c++)
      for (let r = 0; r < rows; r++)
        for (let s = 0; s < columns; s++) {
          const row = i * stride[0] - padding[0] + r * dilation[0]
          const column = j * stride[1] - padding[1] + s * dilation[1]
          total += (image(n, first + c, row, column) ?? 0) * kernel(o, c, r, s)!
        }
    return total
  })
}

const pooling: Reference<'pooling'> = (
  { attributes: { kind, kernel, stride, padding, countPadding }, outputs: [y] },
  [x],
) => {
  const image = reader(x!)
  return each(y!.shape, (n, c, i, j) => {
    const window: number[] = []
    for (let r = 0; r < kernel[0]; r++)
      for (let s = 0; s < kernel[1]; s++) {
        const value = image(n, c, i * stride[0] - padding[0] + r, j * stride[1] - padding[1] + s)
        if (value !== null) window.push(value)
      }
    if (kind === 'max') return Math.max(...window)
    return sum(window) / (countPadding ? kernel[0] * kernel[1] : window.length)
  })
}

const adaptiveAveragePooling: Reference<'adaptiveAveragePooling'> = ({ outputs: [y] }, [x]) => {
  const [, , height, width] = asImage(x!.shape)
  const [, , rows, columns] = asImage(y!.shape)
  const image = reader(x!)
  const bin = (i: number, size: number, bins: number) =>
    [Math.floor((i * size) / bins), Math.ceil(((i + 1) * size) / bins)] as const
  return each(y!.shape, (n, c, i, j) => {
    const [top, bottom] = bin(i, height, rows)
    const [left, right] = bin(j, width, columns)
    let total = 0
    for (let r = top; r < bottom; r++) for (let s = left; s < right; s++) total += image(n, c, r, s)!
    return total / ((bottom - top) * (right - left))
  })
}

function normalized(x: Dense, gamma: Dense, beta: Dense, mean: Dense, variance: Dense, eps: number): Dense {
  const image = reader(x)
  return each(x.shape, (n, c, i, j) => {
    const centred = image(n, c, i, j)! - mean.data[c]!
    return (gamma.data[c]! * centred) / Math.sqrt(variance.data[c]! + eps) + beta.data[c]!
  })
}

const batchNorm: Reference<'batchNorm'> = ({ attributes: { eps } }, [x, gamma, beta, mean, variance]) =>
  normalized(x!, gamma!, beta!, mean!, variance!, eps)

const batchNormTraining: Reference<'batchNormTraining'> = (
  { attributes: { eps, momentum } },
  [x, gamma, beta, runningMean, runningVariance],
) => {
  const count = x!.data.length / gamma!.data.length
  const mean = map(gamma!, (_, c) => sum(pixels(x!, c)) / count)
  const variance = map(gamma!, (_, c) => sum(pixels(x!, c).map((v) => (v - mean.data[c]!) ** 2)) / count)
  const moved = (running: Dense, batch: Dense, factor: number) =>
    map(running, (value, c) => (1 - momentum) * value + momentum * factor * batch.data[c]!)
  return [
    normalized(x!, gamma!, beta!, mean, variance, eps),
    mean,
    variance,
    moved(runningMean!, mean, 1),
    moved(runningVariance!, variance, count / (count - 1)),
  ]
}

const localResponseNorm: Reference<'localResponseNorm'> = ({ attributes: { size, alpha, beta, k } }, [x]) => {
  const image = reader(x!)
  return each(x!.shape, (n, c, i, j) => {
    // Size neighbours: (size - 1) / 2 on each side, the odd one before.
    const first = c - Math.floor(size / 2)
    const squares = range(size, (d) => (image(n, first + d, i, j) ?? 0) ** 2)
    return image(n, c, i, j)! / (k + (alpha / size) * squares) ** beta
  })
}

/** Rows of weights against rows of features, whatever shape the features have. */
function rows(x: Dense, centres: Dense, term: (value: number, weight: number) => number): Dense {
  const [o, features] = centres.shape as [number, number]
  return each([x.shape[0]!, o], (n, k) =>
    range(features, (i) => term(x.data[n * features + i]!, centres.data[k * features + i]!)),
  )
}

const linear: Reference<'linear'> = (_, [x, weight, bias]) => {
  const product = rows(x!, weight!, (value, w) => value * w)
  return bias ? map(product, (value, i) => value + bias.data[i % bias.data.length]!) : product
}

const elementwise: Reference<'elementwise'> = ({ attributes: { kind, alpha, beta } }, [x]) => {
  const value = {
    relu: (v: number) => Math.max(v, 0),
    sigmoid: (v: number) => 1 / (1 + Math.exp(-v)),
    tanh: (v: number) => alpha * Math.tanh(beta * v),
    linear: (v: number) => alpha * v + beta,
  }[kind]
  return map(x!, value)
}

const scaleChannels: Reference<'scaleChannels'> = (_, [x, coefficient, bias]) => {
  const image = reader(x!)
  return each(x!.shape, (n, c, i, j) => image(n, c, i, j)! * coefficient!.data[c]! + (bias?.data[c] ?? 0))
}

/** Logarithm of the softmax over axis 1. */
function logSoftmax(x: Dense): Dense {
  const image = reader(x)
  const [batch, channels, height, width] = asImage(x.shape)
  const totals = reader(
    each([batch, 1, height, width], (n, _, i, j) => range(channels, (k) => Math.exp(image(n, k, i, j)!))),
  )
  return each(x.shape, (n, c, i, j) => image(n, c, i, j)! - Math.log(totals(n, 0, i, j)!))
}

const softmax: Reference<'softmax'> = ({ attributes: { log } }, [x]) =>
  log ? logSoftmax(x!) : map(logSoftmax(x!), Math.exp)

const dropout: Reference<'dropout'> = ({ attributes: { p, stream } }, [x, random]) => {
  const [seedLow, seedHigh, stepLow, stepHigh] = random!.data
  return map(x!, (value, i) => {
    const counter = [Math.floor(i / 4), stream, stepLow!, stepHigh!] as const
    const word = philox(counter, [seedLow!, seedHigh!])[i % 4]!
    return word < p * 2 ** 32 ? 0 : value / (1 - p)
  })
}

const concat: Reference<'concat'> = ({ outputs: [y] }, inputs) => {
  const images = inputs.flatMap((input) => {
    const image = reader(input!)
    return Array.from({ length: input!.shape[1]! }, (_, c) => ({ image, c }))
  })
  return each(y!.shape, (n, channel, i, j) => {
    const { image, c } = images[channel]!
    return image(n, c, i, j)!
  })
}

const slice: Reference<'slice'> = ({ attributes: { start }, outputs: [y] }, [x]) => {
  const image = reader(x!)
  return each(y!.shape, (n, c, i, j) => image(n, start + c, i, j)!)
}

const subsamplePad: Reference<'subsamplePad'> = ({ attributes: { stride, before }, outputs: [y] }, [x]) => {
  const image = reader(x!)
  return each(y!.shape, (n, c, i, j) => image(n, c - before, i * stride, j * stride) ?? 0)
}

const pad: Reference<'pad'> = ({ attributes: { padding, value }, outputs: [y] }, [x]) => {
  const image = reader(x!)
  return each(y!.shape, (n, c, i, j) => image(n, c, i - padding[0], j - padding[1]) ?? value)
}

const scatterRows: Reference<'scatterRows'> = ({ attributes: { indices }, outputs: [y] }, [x]) => {
  const result = dense(y!.shape, new Float64Array(elementCount(y!.shape)))
  const size = x!.data.length / indices.length
  indices.forEach((to, from) => {
    result.data.set(x!.data.subarray(from * size, (from + 1) * size), to * size)
  })
  return result
}

/** Labels as distributions: classes become one-hot rows. */
function distributions(labels: Dense, shape: Shape): Dense {
  return labels.shape.length === 1 ? each(shape, (n, k) => (labels.data[n] === k ? 1 : 0)) : labels
}

const softmaxCrossEntropy: Reference<'softmaxCrossEntropy'> = (
  { attributes: { labelSmoothing, weight } },
  [logits, labels],
) => {
  const [batch, classes] = logits!.shape as [number, number]
  const logs = logSoftmax(logits!)
  const targets = map(
    distributions(labels!, logits!.shape),
    (value) => (1 - labelSmoothing) * value + labelSmoothing / classes,
  )
  return dense([1], [(-weight * range(batch * classes, (i) => targets.data[i]! * logs.data[i]!)) / batch])
}

const meanSquaredError: Reference<'meanSquaredError'> = ({ attributes: { weight } }, [y, target]) =>
  dense([1], [(weight * sum(map(y!, (value, i) => (value - target!.data[i]!) ** 2).data)) / y!.data.length])

const radialBasisLoss: Reference<'radialBasisLoss'> = ({ attributes: { j, weight } }, [x, labels]) => {
  const [batch, classes] = x!.shape as [number, number]
  const distance = reader(x!)
  const loss = (n: number) =>
    distance(n, labels!.data[n]!, 0, 0)! +
    Math.log(Math.exp(-j) + range(classes, (k) => Math.exp(-distance(n, k, 0, 0)!)))
  return dense([1], [(weight * range(batch, loss)) / batch])
}

/** The forward operations, by name. */
export const referenceOps: { readonly [Op in OpName]?: Reference<Op> } = {
  convolution,
  pooling,
  adaptiveAveragePooling,
  batchNorm,
  batchNormTraining,
  localResponseNorm,
  linear,
  elementwise,
  add: (_, [a, b]) => map(a!, (value, i) => value + b!.data[i]!),
  scaleChannels,
  softmax,
  dropout,
  radialBasis: (_, [x, centres]) => rows(x!, centres!, (value, centre) => (value - centre) ** 2),
  concat,
  slice,
  subsamplePad,
  pad,
  reshape: ({ outputs: [y] }, [x]) => ({ shape: y!.shape, data: x!.data }),
  scatterRows,
  softmaxCrossEntropy,
  meanSquaredError,
  radialBasisLoss,
}

/** The values of a graph, given those of its inputs and parameters. */
export function interpret(
  graph: { readonly nodes: readonly Node[] },
  known: ReadonlyMap<Node['outputs'][number], Dense>,
): ReadonlyMap<Node['outputs'][number], Dense> {
  const values = new Map(known)
  for (const node of graph.nodes) {
    const reference = referenceOps[node.op] as Reference<OpName> | undefined
    if (!reference) throw new Error(`${node.op} has no reference`)
    const found = reference(
      node,
      node.inputs.map((input) => (input ? values.get(input)! : undefined)),
    )
    const results = 'data' in found ? [found] : found
    results.forEach((result, i) => result && values.set(node.outputs[i]!, result))
  }
  return values
}
