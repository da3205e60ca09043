import { ShapeError } from './errors.js'

/** Dimensions, outermost first; images are `[N, C, H, W]`. */
export type Shape = readonly number[]

/** Element types of a {@link Tensor}. */
export interface TypedArrays {
  f32: Float32Array
  u8: Uint8Array
  i32: Int32Array
  i64: BigInt64Array
}
export type DType = keyof TypedArrays

/** Number of elements of a shape; 1 for a scalar `[]`. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** `[2, 3, 224, 224]` as text. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i])
}

/** A dense row-major array in host memory. */
export class Tensor<T extends DType = 'f32'> {
  /** @throws ShapeError when `data` does not hold exactly the elements of `shape`. */
  constructor(
    readonly shape: Shape,
    readonly data: TypedArrays[T],
    readonly dtype: T,
  ) {
    if (elementCount(shape) !== data.length)
      throw new ShapeError(
        `a tensor of shape ${formatShape(shape)} needs ${elementCount(shape)} elements, got ${data.length}`,
        { expected: String(elementCount(shape)), got: String(data.length) },
      )
  }
}

/** A float32 {@link Tensor} over `data`, without a copy. */
export function tensor(data: Float32Array, shape: Shape): Tensor {
  return new Tensor(shape, data, 'f32')
}
