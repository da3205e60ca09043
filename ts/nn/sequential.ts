import type { Layer, Value } from '../graph/graph.js'
import { Component, Module } from './module.js'

/** What a layer turns `C` channels into; `never` where it does not take them. */
type After<L, C extends number> = L extends {
  forward(x: Value<infer In extends number>): Value<infer Out extends number>
}
  ? number extends In
    ? number extends Out
      ? L extends { forward(x: Value<C>): Value<C> }
        ? C
        : number
      : Out
    : number extends C
      ? Out
      : C extends In
        ? Out
        : never
  : C

/**
 * Checks neighbours: a layer whose literal input channels differ from what comes before it becomes a type
 * that nothing can be assigned to.
 */
type Chain<L extends readonly unknown[], C extends number> = L extends readonly [infer Head, ...infer Tail]
  ? [After<Head, C>] extends [never]
    ? readonly [{ readonly error: 'channels do not meet'; readonly given: C }, ...Tail]
    : readonly [Head, ...Chain<Tail, After<Head, C>>]
  : L

type FirstIn<L extends readonly unknown[]> = L extends readonly [infer Head, ...infer Tail]
  ? Head extends { forward(x: Value<infer In extends number>): Value }
    ? In
    : FirstIn<Tail>
  : number
type LastOut<L extends readonly unknown[], C extends number> = L extends readonly [infer Head, ...infer Tail]
  ? LastOut<Tail, After<Head, C>>
  : C

/** Layers one after the other, named by their position or by their keys. */
export class Sequential<In extends number = number, Out extends number = number> extends Module<In, Out> {
  private readonly layers: readonly (readonly [string, Layer])[]

  constructor(layers: readonly (readonly [string, Layer])[]) {
    super()
    this.layers = layers
  }

  override children(): Iterable<readonly [string, Component]> {
    return this.layers.filter(
      (entry): entry is readonly [string, Layer & Component] => entry[1] instanceof Component,
    )
  }

  override forward(x: Value<In>): Value<Out> {
    return this.layers.reduce<Value>((y, [key, layer]) => {
      if (typeof layer !== 'function') return layer.call(y)
      return y.graph.within(this.path === '' ? key : `${this.path}.${key}`, () => layer(y))
    }, x) as Value<Out>
  }
}

/**
 * Layers one after the other: `sequential(conv2d(3, 64), relu, conv2d(64, 64))`. Literal channels that do not
 * meet are a type error. Parameters are named `0.weight`, `2.weight`, ... by position, functions counting too.
 */
export function sequential<const L extends readonly unknown[]>(
  ...layers: L & Chain<L, number>
): Sequential<FirstIn<L>, LastOut<L, number>> {
  return new Sequential((layers as readonly Layer[]).map((layer, i) => [String(i), layer] as const))
}

/** Layers one after the other, each named by its key: `named({ conv0: ..., norm0: ..., relu0: relu })`. */
export function named(layers: Readonly<Record<string, Layer>>): Sequential {
  return new Sequential(Object.entries(layers))
}
