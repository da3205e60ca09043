import type { Value } from '../../graph/graph.js'
import { flatten, relu, reshape, sigmoid, softmax, tanh } from '../../nn/index.js'
import { elementCount } from '../../tensor.js'

/** Activations that are computed only when something reads the result, so that an output can do without. */
export type Deferred = 'softmax' | 'sigmoid'
export type Activation = 'linear' | 'relu' | 'tanh' | Deferred

export const ACTIVATIONS = [
  'linear',
  'relu',
  'sigmoid',
  'tanh',
  'softmax',
] as const satisfies readonly Activation[]

/**
 * Where the elements of a flat value come from: position i holds feature `order[i]` of Keras. Null when they are in
 * the same order.
 */
export type Order = Int32Array | null

/**
 * A value as Keras sees it. Keras' images are `[H, W, C]` and ours `[C, H, W]`, so flat features of an image come in
 * another order; it is remembered here, for the layers that have a weight for each feature.
 */
export class Features {
  private finished: Value | null = null

  constructor(
    /** What the last activation, if it is deferred, has not been applied to yet. */
    readonly logits: Value,
    readonly order: Order = null,
    readonly deferred: Deferred | null = null,
  ) {}

  /** `[N, C, H, W]` or `[N, F]` */
  get value(): Value {
    if (this.deferred === null) return this.logits
    this.finished ??= this.deferred === 'softmax' ? softmax(this.logits) : sigmoid(this.logits)
    return this.finished
  }

  get isImage(): boolean {
    return this.logits.shape.length === 4
  }

  /** Height times width of an image; 1 for flat features. */
  get pixels(): number {
    return elementCount(this.logits.shape.slice(2))
  }

  /** What a layer that treats all elements alike makes of it. */
  with(value: Value): Features {
    return new Features(value, this.order)
  }

  activate(activation: Activation): Features {
    if (activation === 'linear') return this
    if (activation === 'relu') return this.with(relu(this.value))
    if (activation === 'tanh') return this.with(tanh(this.value))
    return new Features(this.value, this.order, activation)
  }

  /** `[N, F]`, as Keras would flatten it. */
  flat(): Features {
    if (!this.isImage) return this
    const order = flatOrder(this.logits.shape)
    return this.reshaped((value) => flatten(value), order)
  }

  /**
   * The same features as an image, or null when their order does not allow it.
   *
   * @param shape - `[H, W, C]`
   */
  image(height: number, width: number, channels: number): Features | null {
    const flat = this.flat()
    const shape = [flat.logits.shape[0]!, channels, height, width]
    return sameOrder(flat.order, flatOrder(shape))
      ? flat.reshaped((value) => reshape(value, shape), null)
      : null
  }

  private reshaped(apply: (value: Value) => Value, order: Order): Features {
    // A softmax over the channels of an image is not one over its flat features.
    if (this.deferred === 'softmax' && this.pixels > 1) return new Features(apply(this.value), order)
    return new Features(apply(this.logits), order, this.deferred)
  }
}

/** The order that `[N, C, H, W]` gets when it is flattened; null when it makes no difference. */
function flatOrder(shape: readonly number[]): Order {
  const [, channels, height, width] = shape as readonly [number, number, number, number]
  const pixels = height * width
  if (channels === 1 || pixels === 1) return null
  return Int32Array.from(
    { length: channels * pixels },
    (_, i) => (i % pixels) * channels + Math.floor(i / pixels),
  )
}

export function sameOrder(a: Order, b: Order): boolean {
  return a === b || (!!a && !!b && a.length === b.length && a.every((feature, i) => feature === b[i]))
}

/** The order of flat features that are joined. */
export function joinOrders(parts: readonly Features[]): Order {
  if (parts.every(({ order }) => order === null)) return null
  let offset = 0
  return Int32Array.from(
    parts.flatMap(({ logits, order }) => {
      const start = offset
      offset += logits.channels
      return Array.from({ length: logits.channels }, (_, i) => start + (order?.[i] ?? i))
    }),
  )
}
