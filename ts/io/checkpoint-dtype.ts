/** Element types that checkpoint files hold. */
export type CheckpointDType =
  'f64' | 'f32' | 'f16' | 'bf16' | 'i64' | 'u64' | 'i32' | 'u32' | 'i16' | 'u16' | 'i8' | 'u8' | 'bool'

const sizes: Record<CheckpointDType, 1 | 2 | 4 | 8> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  u64: 8,
  i32: 4,
  u32: 4,
  i16: 2,
  u16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
}

/** Bytes of one element. */
export function itemSize(dtype: CheckpointDType): number {
  return sizes[dtype]
}

/** Whether all values of the type are whole numbers. */
export function isInteger(dtype: CheckpointDType): boolean {
  return !['f64', 'f32', 'f16', 'bf16'].includes(dtype)
}

/** A function that gives element `i` of little-endian raw data, as a float-sized number. */
export function elements(
  dtype: CheckpointDType,
  buffer: ArrayBuffer,
  byteOffset: number,
  count: number,
): (index: number) => number {
  switch (dtype) {
    case 'f64':
      return from(new Float64Array(buffer, byteOffset, count))
    case 'f32':
      return from(new Float32Array(buffer, byteOffset, count))
    case 'f16': {
      const bits = new Uint16Array(buffer, byteOffset, count)
      return (index) => {
        const half = bits[index]!
        return half & 0x7c00 ? fromBits(widenHalf(half)) : subnormalHalf(half)
      }
    }
    case 'bf16': {
      const bits = new Uint16Array(buffer, byteOffset, count)
      return (index) => fromBits(bits[index]! << 16)
    }
    case 'i64':
    case 'u64': {
      const values = integers(dtype, buffer, byteOffset, count)
      return (index) => Number(values(index))
    }
    case 'i32':
      return from(new Int32Array(buffer, byteOffset, count))
    case 'u32':
      return from(new Uint32Array(buffer, byteOffset, count))
    case 'i16':
      return from(new Int16Array(buffer, byteOffset, count))
    case 'u16':
      return from(new Uint16Array(buffer, byteOffset, count))
    case 'i8':
      return from(new Int8Array(buffer, byteOffset, count))
    case 'u8':
      return from(new Uint8Array(buffer, byteOffset, count))
    case 'bool': {
      const bytes = new Uint8Array(buffer, byteOffset, count)
      return (index) => Number(bytes[index] !== 0)
    }
  }
}

/** As {@link elements}, exactly, for types of whole numbers. */
export function integers(
  dtype: CheckpointDType,
  buffer: ArrayBuffer,
  byteOffset: number,
  count: number,
): (index: number) => bigint {
  if (dtype === 'i64' || dtype === 'u64') {
    const values =
      dtype === 'i64'
        ? new BigInt64Array(buffer, byteOffset, count)
        : new BigUint64Array(buffer, byteOffset, count)
    return (index) => values[index]!
  }
  const value = elements(dtype, buffer, byteOffset, count)
  return (index) => BigInt(value(index))
}

function from(values: { readonly [index: number]: number }): (index: number) => number {
  return (index) => values[index]!
}

const word = new Int32Array(1)
const float = new Float32Array(word.buffer)

function fromBits(bits: number): number {
  word[0] = bits
  return float[0]!
}

/** The bits of a binary32 number of the same value as a normal, infinite or NaN binary16 number. */
function widenHalf(bits: number): number {
  const sign = (bits & 0x8000) << 16
  const exponent = (bits >> 10) & 0x1f
  return sign | ((exponent === 0x1f ? 0xff : exponent + 112) << 23) | ((bits & 0x3ff) << 13)
}

/** The value of a subnormal binary16 number. */
function subnormalHalf(bits: number): number {
  return (bits & 0x8000 ? -1 : 1) * (bits & 0x3ff) * 2 ** -24
}
