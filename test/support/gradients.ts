import { crc32 } from 'node:zlib'
import { optimize, toPlan } from '../../ts/compile/compile.js'
import { differentiate } from '../../ts/compile/gradient.js'
import { Graph, type Value } from '../../ts/graph/graph.js'
import { RandomStream } from '../../ts/random.js'
import type { Device } from '../../ts/runtime/device.js'
import type { ScheduleEntry } from '../../ts/runtime/native.js'
import { elementCount, type Shape } from '../../ts/tensor.js'
import { dense, interpret, type Dense } from './reference-ops.js'

// Holds the device's gradients against central differences of the double precision reference. The reference runs
// the graph as it was recorded, the device runs what the compiler makes of it, so that fusion is checked too.

/**
 * What float32 may differ by, in relative L2. A sum of n products is wrong by about sqrt(n) * 6e-8, and no sum
 * here is over more than a few thousand; a single wrong element of a thousand would show as 3e-2.
 */
export const FLOAT32_BOUND = 1e-5

/** Small enough for hardly any ReLU to change its mind within it; 1e-16 / STEP is left of double precision. */
const STEP = 1e-6
/** Elements of an array that are moved one at a time. */
const SINGLE = 12
/** Times that all elements of an array are moved together, each in a random direction. */
const TOGETHER = 3

export interface LeafOptions {
  /** Interval that the numbers are drawn from. Default -1 to 1. */
  readonly between?: readonly [number, number]
  /** Whether its gradient is asked for. Default true. */
  readonly wanted?: boolean
  /** Given in place of drawn numbers. */
  readonly data?: ArrayLike<number>
}

/** What the leaves of a graph under test are made with. */
export interface Leaves {
  readonly graph: Graph
  readonly input: (name: string, shape: Shape, options?: LeafOptions) => Value
  readonly parameter: (name: string, shape: Shape, options?: LeafOptions) => Value
  readonly integers: (name: string, data: readonly number[]) => Value
}

export interface CheckOptions {
  readonly frozen?: readonly string[]
  /** Words of seed and step, for dropout. */
  readonly random?: readonly [number, number, number, number]
  /** Default {@link FLOAT32_BOUND}. */
  readonly bound?: number
}

/** How far the device is from the reference, and what it ran. */
export interface Checked {
  /** Relative L2 errors, by `forward` and the names of the leaves, that are not within the bound. */
  readonly wrong: Readonly<Record<string, number>>
  /** Names of the gradients that were computed. */
  readonly gradients: readonly string[]
  readonly schedule: readonly ScheduleEntry[]
  /** Contents of a parameter after the forward half. */
  readonly read: (name: string) => Promise<Float32Array>
  /** What the reference has for a recorded value. */
  readonly reference: (value: Value) => Dense
  readonly output: Float32Array
}

/** ||got - expected|| / ||expected||; 0 where they are the same, be it zeros. */
export function relativeL2(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Number.NaN
  let difference = 0
  let norm = 0
  for (let i = 0; i < got.length; i++) {
    difference += (got[i]! - expected[i]!) ** 2
    norm += expected[i]! ** 2
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm)
}

/** Numbers that a name determines, exact in float32. */
export function drawn(
  name: string,
  shape: Shape,
  [low, high]: readonly [number, number] = [-1, 1],
): Float32Array {
  const random = new RandomStream(7, crc32(name))
  return Float32Array.from({ length: elementCount(shape) }, () => low + (high - low) * random.uniform())
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!
  return total
}

/** The graph under test and the numbers that its leaves have. */
function record(build: (leaves: Leaves) => Value, { frozen = [], random = [3, 1, 4, 1] }: CheckOptions) {
  const graph = new Graph('training', new Set(frozen))
  const numbers = new Map<Value, Float32Array | Int32Array>()
  const wanted: Value[] = []
  const leaf = (value: Value, { between, wanted: wants = true, data }: LeafOptions = {}) => {
    numbers.set(value, data ? Float32Array.from(data) : drawn(value.name, value.shape, between))
    if (wants) wanted.push(value)
    return value
  }
  const output = build({
    graph,
    input: (name, shape, options) => leaf(graph.input(name, shape), options),
    parameter: (name, shape, options) => leaf(graph.parameter({ name, shape }), options),
    integers: (name, data) => {
      const value = graph.input(name, [data.length], 'i32')
      numbers.set(value, Int32Array.from(data))
      return value
    },
  })
  const words = graph.inputs.get('random')
  if (words) numbers.set(words, Int32Array.from(random))
  return { graph, numbers, wanted, output }
}

/** The forward and the backward half on a device, by hand. */
async function compute(
  device: Device,
  { graph, numbers, wanted, output }: ReturnType<typeof record>,
  seed: Float32Array,
) {
  graph.outputs.set('output', output)
  const half = optimize(graph)
  const result = half.outputs.get('output')!
  const start = half.input('seed', output.shape)
  // None where the compiler dropped it, as nothing read it.
  const leafOf = ({ name }: Value) => half.inputs.get(name) ?? half.parameters.get(name)
  const leaves = wanted.map(leafOf).filter((leaf) => leaf !== undefined)
  const found = differentiate(half, new Map([[result, start]]), leaves)
  for (const leaf of leaves) {
    const gradient = found.get(leaf)
    if (gradient) half.outputs.set(`d ${leaf.name}`, gradient)
  }
  const store = device.createStore()
  for (const value of graph.parameters.values())
    store.define(value.name, value.shape, (numbers.get(value) as Float32Array).slice())
  const plan = toPlan(half)
  const program = await device.compile(plan, store)
  const inputs = Object.fromEntries(
    [...graph.inputs.values()]
      .filter(({ name }) => plan.inputs.some((input) => input.name === name))
      .map((value) => [value.name, numbers.get(value)!] as const),
  )
  const forward = await program.run(['forward'], inputs, ['output'])
  const names = plan.outputs.map(({ name }) => name).filter((name) => name.startsWith('d '))
  // Gradients that are the seed itself need no backward half.
  const phases = plan.phases.map(({ name }) => name).filter((name) => name === 'backward')
  const gradients = names.length > 0 ? await program.run(phases, { seed }, names) : {}
  return { forward: forward.output!.data, gradients, names, program, store }
}

/**
 * Compares forward values, and the gradients of all leaves, of sum(output * seed) with a fixed random seed.
 *
 * @param build - records the operations under test, in training mode
 */
export async function check(
  device: Device,
  build: (leaves: Leaves) => Value,
  options: CheckOptions = {},
): Promise<Checked> {
  const recorded = record(build, options)
  const { graph, numbers, wanted, output } = recorded
  const known = new Map([...numbers].map(([value, data]) => [value, dense(value.shape, data)]))
  const values = interpret(graph, known)
  const seed = drawn('seed', output.shape)
  const { forward, gradients, names, program, store } = await compute(device, recorded, seed)

  const errors: Record<string, number> = { forward: relativeL2(forward, values.get(output)!.data) }
  const loss = () => dot(interpret(graph, known).get(output)!.data, seed)
  for (const leaf of wanted) {
    const gradient = gradients[`d ${leaf.name}`]?.data
    const expected = differences(known.get(leaf)!.data, loss)
    if (gradient) Object.assign(errors, errorsOf(leaf.name, gradient, expected))
    else if (expected.some(({ slope }) => slope !== 0))
      errors[`${leaf.name}, which has no gradient`] = Number.NaN
  }
  const { bound = FLOAT32_BOUND } = options
  return {
    wrong: Object.fromEntries(Object.entries(errors).filter(([, error]) => !(error < bound))),
    gradients: names.map((name) => name.slice(2)),
    schedule: program.describe(),
    read: (name) => store.read(name),
    reference: (value) => values.get(value)!,
    output: forward,
  }
}

/** A way to move an array, and how fast the loss grows along it. */
interface Difference {
  readonly direction: Float64Array
  readonly single: boolean
  readonly slope: number
}

/** Central differences: of single elements here and there, and of all elements together. */
function differences(data: Float64Array, loss: () => number): Difference[] {
  const random = new RandomStream(11, data.length)
  const original = data.slice()
  const slopeWithin = (direction: Float64Array, step: number) => {
    const [above, below] = [step, -step].map((distance) => {
      for (let i = 0; i < data.length; i++) data[i] = original[i]! + distance * direction[i]!
      return loss()
    })
    return (above! - below!) / (2 * step)
  }
  const one = () => new Float64Array(data.length).fill(1, ...pick(random, data.length))
  const all = () => Float64Array.from(data, () => (random.uniform() < 0.5 ? -1 : 1))
  const found: Difference[] = []
  for (const [count, draw] of [
    [SINGLE, one],
    [TOGETHER, all],
  ] as const)
    for (let kept = 0, tried = 0; kept < count; tried++) {
      if (tried > 4 * count) throw new Error('the reference has a kink wherever one looks')
      const direction = draw()
      const slope = slopeWithin(direction, STEP)
      // Two steps disagree where a ReLU or a maximum changes its mind between them.
      if (Math.abs(slope - slopeWithin(direction, STEP / 4)) > 1e-6 * Math.max(1, Math.abs(slope))) continue
      found.push({ direction, single: draw === one, slope })
      kept++
    }
  data.set(original)
  return found
}

/** The range of one element. */
function pick(random: RandomStream, count: number): [number, number] {
  const at = Math.floor(count * random.uniform())
  return [at, at + 1]
}

/**
 * Errors of one gradient. Along a direction of ones and minus ones the slope is of the size of the gradient's norm,
 * and every element counts: one that is wrong by itself is wrong there by as much.
 */
function errorsOf(
  name: string,
  gradient: Float32Array,
  expected: readonly Difference[],
): Record<string, number> {
  const along = expected.map(({ direction, single, slope }) => ({
    single,
    slope,
    got: dot(gradient, direction),
  }))
  const singles = along.filter(({ single }) => single)
  const norm = Math.sqrt(dot(gradient, gradient))
  const off = along.filter(({ single }) => !single).map(({ slope, got }) => Math.abs(got - slope) / norm)
  return {
    [name]: relativeL2(
      singles.map(({ got }) => got),
      singles.map(({ slope }) => slope),
    ),
    [`${name}, all together`]: Math.max(...off),
  }
}
