import { elements } from '../../../ts/io/checkpoint-dtype.js'
import type { OpName } from '../../../ts/graph/schema.js'
import { elementCount, type Shape } from '../../../ts/tensor.js'
import { PlanBuilder, type Device } from '../../native/addon.js'

// One operation on numbers that every type holds exactly.

export type Free = 'f32' | 'f16' | 'bf16'
export type Operand = readonly [shape: Shape, dtype?: 'f32' | 'i32' | 'u8']

export interface Case {
  readonly op: OpName
  readonly attributes?: Record<string, unknown>
  /** Of the type under test where none is given. */
  readonly inputs: readonly (Operand | null)[]
  /** Of an operation that reads what its forward one noted, as its last input: that one, and what it gives. */
  readonly forward?: { readonly op: OpName; readonly output: Operand }
  /** Results, and which input each is an update of. */
  readonly outputs: readonly (readonly [...Operand] | { readonly updates: number })[]
  /** Given in place of drawn numbers, by input. */
  readonly data?: Readonly<Record<number, readonly number[]>>
}

/** Whether some operand takes the type under test: others are f32 always. */
export const isFree = ({ inputs, outputs }: Case): boolean =>
  [...inputs, ...outputs].some((operand) => operand && !('updates' in operand) && operand[1] === undefined)

const decoders = new Map(
  (['f16', 'bf16'] as const).map((dtype) => {
    const patterns = Uint16Array.from({ length: 1 << 16 }, (_, i) => i)
    return [dtype, elements(dtype, patterns.buffer, 0, patterns.length)]
  }),
)
const patternOf = new Map(
  [...decoders].map(([dtype, decode]) => [
    dtype,
    new Map(Array.from({ length: 1 << 16 }, (_, bits) => [decode(bits), bits])),
  ]),
)

/** Numbers that all types hold exactly: multiples of 1/256 between -1/2 and 1/2. */
function exact(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, i) => ((((i + 1) * 7919 * (seed + 3)) % 257) - 128) / 256)
}

function encode(dtype: string, values: readonly number[]) {
  switch (dtype) {
    case 'f16':
    case 'bf16':
      return Uint16Array.from(values, (value) => patternOf.get(dtype)!.get(value)!)
    case 'i32':
      return Int32Array.from(values)
    case 'u8':
      return Uint8Array.from(values, (value) => 128 + 127 * value)
    default:
      return Float32Array.from(values)
  }
}

function decode(dtype: string, buffer: ArrayBuffer): Float32Array {
  if (dtype === 'f32') return new Float32Array(buffer)
  const count = buffer.byteLength / 2
  const value = elements(dtype as Free, buffer, 0, count)
  return Float32Array.from({ length: count }, (_, i) => value(i))
}

/** Results of an operation whose free operands are of this type. */
export async function compute(
  device: Device,
  { op, attributes, inputs, forward, outputs, data = {} }: Case,
  free: Free,
) {
  const plan = new PlanBuilder().phase('run')
  const store = device.createStore()
  const given: Record<string, unknown> = {}
  const updated = new Set(outputs.map((output) => ('updates' in output ? output.updates : -1)))
  const operands = inputs.map((operand, i) => {
    if (!operand) return -1
    const [shape, dtype = free] = operand
    const numbers = encode(dtype, data[i] ?? exact(elementCount(shape), i))
    if (!updated.has(i)) {
      given[`x${i}`] = numbers
      return plan.input(`x${i}`, shape, dtype)
    }
    store.define(`x${i}`, 'f32', shape, numbers)
    return plan.parameter(`x${i}`, shape, true)
  })
  if (forward) {
    // Of an image like the gradient that is asked for.
    const shape = (outputs[0] as Operand)[0]
    given.x = encode(free, exact(elementCount(shape), 0))
    const [y, workspace] = [plan.buffer(forward.output[0], free), plan.buffer([], 'opaque')]
    plan.run(forward.op, [plan.input('x', shape, free)], [y, workspace], attributes)
    operands.push(workspace)
  }
  const types: string[] = []
  const results = outputs.map((output) => {
    if ('updates' in output) {
      types.push('f32')
      return operands[output.updates]!
    }
    types.push(output[1] ?? free)
    return plan.buffer(output[0], output[1] ?? free)
  })
  plan.run(op, operands, results, attributes)
  results.forEach((buffer, i) => plan.output(`y${i}`, buffer))
  try {
    const program = await device.compile(plan, store)
    try {
      const names = types.map((_, i) => `y${i}`)
      const got = await program.run(['run'], given, names)
      return types.map((dtype, i) => decode(dtype, got[`y${i}`]!))
    } finally {
      program.dispose()
    }
  } finally {
    store.dispose()
  }
}
