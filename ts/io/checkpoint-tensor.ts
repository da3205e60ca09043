import { InvalidArgumentError } from '../errors.js'
import { formatShape, type Shape } from '../tensor.js'
import { elements, integers, isInteger, itemSize, type CheckpointDType } from './checkpoint-dtype.js'
import { malformed } from './checkpoint-error.js'
import { allocate, type FilePlace, type Region } from './random-access.js'

/** One tensor of a checkpoint; its elements stay in the file until they are read. */
export interface CheckpointTensor {
  /** The name in the state dict, such as `layer1.0.conv1.weight`. */
  readonly name: string
  readonly shape: Shape
  /** The element type in the file. */
  readonly dtype: CheckpointDType
  /** Reads all elements, converted to float32, in row-major order. */
  read(): Promise<Float32Array>
  /**
   * Reads all elements of a tensor of whole numbers exactly, such as the counters of batch normalisations.
   *
   * @throws InvalidArgumentError when the elements are floating-point numbers.
   */
  readInt64(): Promise<BigInt64Array>
  /**
   * Where the elements lie in the file exactly as {@link read} gives them, if they do.
   * @internal
   */
  readonly place?: FilePlace | undefined
}

/** How a tensor lies in a region of bytes. Offset and strides count elements. */
export interface TensorLayout {
  readonly name: string
  readonly shape: Shape
  readonly dtype: CheckpointDType
  readonly region: Region
  readonly offset: number
  /** Row-major without gaps when left out. */
  readonly strides?: readonly number[]
}

const MAX_RANK = 64

/**
 * Elements that an expanded tensor (stride 0) may have although its storage holds fewer: a number in a file
 * must not allocate more than the file has data for.
 */
const MAX_EXPANDED = 1 << 24

/**
 * A tensor over a region of bytes.
 *
 * @param source - the file, for messages
 * @throws CheckpointError when the tensor reaches outside the region.
 */
export function layOut(source: string, layout: TensorLayout): CheckpointTensor {
  return new RegionTensor(source, layout)
}

/** The same tensor under another name. */
export function renamed(tensor: CheckpointTensor, name: string): CheckpointTensor {
  const { shape, dtype, place } = tensor
  return { name, shape, dtype, place, read: () => tensor.read(), readInt64: () => tensor.readInt64() }
}

class RegionTensor implements CheckpointTensor {
  readonly name: string
  readonly shape: Shape
  readonly dtype: CheckpointDType
  readonly #region: Region
  readonly #offset: number
  readonly #strides: readonly number[]
  readonly #count: number
  /** Elements from the first to the last one, with the gaps between. */
  readonly #span: number
  readonly #contiguous: boolean

  constructor(source: string, { name, shape, dtype, region, offset, strides }: TensorLayout) {
    this.name = name
    this.shape = shape
    this.dtype = dtype
    this.#region = region
    this.#offset = offset
    this.#count = countElements(source, name, shape)
    this.#strides = strides ?? rowMajor(shape)
    this.#contiguous = isRowMajor(shape, this.#strides)
    if (this.#strides.length !== shape.length || ![offset, ...this.#strides].every(isCount))
      throw malformed(source, `tensor "${name}" has a bad layout`, {
        expected: `an offset and ${shape.length} strides`,
        got: `offset ${offset}, strides ${formatShape(this.#strides)}`,
      })
    this.#span =
      this.#count && 1 + shape.reduce((sum, size, axis) => sum + (size - 1) * this.#strides[axis]!, 0)
    const stored = Math.floor(region.byteLength / itemSize(dtype))
    if (this.#count > 0 && !(offset + this.#span <= stored))
      throw malformed(source, `tensor "${name}" reaches outside its storage`, {
        expected: `at most ${stored} elements of ${dtype}`,
        got: `${this.#span} from ${offset} on, shape ${formatShape(shape)}, strides ${formatShape(this.#strides)}`,
      })
    if (this.#count > Math.max(stored, MAX_EXPANDED))
      throw malformed(source, `tensor "${name}" of shape ${formatShape(shape)} repeats too few elements`, {
        expected: `at most ${Math.max(stored, MAX_EXPANDED)} elements`,
        got: String(this.#count),
      })
  }

  get place(): FilePlace | undefined {
    const { place } = this.#region
    if (!place || this.dtype !== 'f32' || !this.#contiguous) return undefined
    return { ...place, position: place.position + 4 * this.#offset }
  }

  async read(): Promise<Float32Array> {
    const count = this.#count
    const result = allocate(count * 4, () => new Float32Array(count))
    const size = itemSize(this.dtype)
    if (this.#contiguous && size <= 4) {
      // The raw data go to the end of the result; widening from the front never overtakes them.
      const start = (4 - size) * count
      await this.#fill(new Uint8Array(result.buffer, start))
      if (this.dtype !== 'f32') this.#gather(result, elements(this.dtype, result.buffer, start, count))
    } else {
      const raw = await this.#raw()
      this.#gather(result, elements(this.dtype, raw, 0, this.#span))
    }
    return result
  }

  async readInt64(): Promise<BigInt64Array> {
    if (!isInteger(this.dtype))
      throw new InvalidArgumentError(
        `tensor "${this.name}" holds ${this.dtype}, which is no type of whole numbers`,
        { subject: this.name, expected: 'whole numbers', got: this.dtype },
      )
    const raw = await this.#raw()
    const result = allocate(this.#count * 8, () => new BigInt64Array(this.#count))
    this.#gather(result, integers(this.dtype, raw, 0, this.#span))
    return result
  }

  async #raw(): Promise<ArrayBuffer> {
    const bytes = this.#span * itemSize(this.dtype)
    const raw = allocate(bytes, () => new ArrayBuffer(bytes))
    await this.#fill(new Uint8Array(raw))
    return raw
  }

  async #fill(target: Uint8Array): Promise<void> {
    if (target.byteLength > 0) await this.#region.readInto(target, this.#offset * itemSize(this.dtype))
  }

  /** Copies the elements of the span to their row-major places. */
  #gather<T>(target: { [index: number]: T }, source: (index: number) => T): void {
    const index = this.shape.map(() => 0)
    for (let to = 0, from = 0; to < this.#count; to++) {
      target[to] = source(from)
      for (let axis = index.length - 1; axis >= 0; axis--) {
        const stride = this.#strides[axis]!
        from += stride
        if (++index[axis]! < this.shape[axis]!) break
        from -= stride * this.shape[axis]!
        index[axis] = 0
      }
    }
  }
}

/** The number of elements of a shape read from a file, which may be anything. */
export function countElements(source: string, name: string, shape: Shape): number {
  const count = shape.reduce((product, size) => product * size, 1)
  if (shape.length > MAX_RANK || !shape.every(isCount) || !isCount(count))
    throw malformed(source, `tensor "${name}" has an impossible shape`, {
      expected: `at most ${MAX_RANK} sizes`,
      got: shape.length > MAX_RANK ? `${shape.length} sizes` : formatShape(shape),
    })
  return count
}

/** Whether a value read from a file can be a size or an offset. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function rowMajor(shape: Shape): number[] {
  const strides = shape.map(() => 1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!
  return strides
}

/** Whether the strides are row-major; those of axes of size 1 do not matter. */
function isRowMajor(shape: Shape, strides: readonly number[]): boolean {
  return rowMajor(shape).every((stride, axis) => shape[axis] === 1 || stride === strides[axis])
}
