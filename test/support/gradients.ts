import { crc32 } from 'node:zlib'
import { optimize, toPlan } from '../../ts/compile/compile.js'
import { differentiate } from '../../ts/compile/gradient.js'
import { Graph, type Mode, type Value } from '../../ts/graph/graph.js'
import type { Loss } from '../../ts/model/step.js'
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

/** What is left of double precision is about 1e-15 / STEP. */
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
}

export interface CheckOptions {
  /** Evaluation fuses more; nothing but the forward half is compared then. Default training. */
  readonly mode?: Mode
  readonly frozen?: readonly string[]
  /** Words of seed and step, for dropout. */
  readonly random?: readonly [number, number, number, number]
  /** In place of sum(output * seed); outputs beside the one returned are those that `build` gave the graph. */
  readonly loss?: Loss
  /** What the loss takes: classes, or rows of the output's shape. */
  readonly labels?: Int32Array | Float32Array
  /** Default {@link FLOAT32_BOUND}. */
  readonly bound?: number
  /** Of central differences. Default: small enough for hardly any ReLU to change its mind within it. */
  readonly step?: number
}

/** How far the device is from the reference, and what it ran. */
export interface Checked {
  /** Relative L2 errors, by `forward` and the names of the leaves, that are not within the bound. */
  readonly wrong: Readonly<Record<string, number>>
  /** Names of the gradients that were computed. */
  readonly gradients: readonly string[]
  readonly schedule: readonly ScheduleEntry[]
  /** Contents of the parameters after the forward half. */
  readonly parameters: ReadonlyMap<string, Float32Array>
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
function record(
  build: (leaves: Leaves) => Value,
  { mode = 'training', frozen = [], random = [3, 1, 4, 1] }: CheckOptions,
) {
  const graph = new Graph(mode, new Set(frozen))
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
  })
  graph.outputs.set('logits', output)
  const words = graph.inputs.get('random')
  if (words) numbers.set(words, Int32Array.from(random))
  return { graph, numbers, wanted }
}

/** Ends a network in its loss, or in its output: what is compared, and where gradients start. */
function end(graph: Graph, { loss, labels }: CheckOptions) {
  const output = graph.outputs.get('logits')!
  if (!loss || !labels)
    return { result: output, seeds: new Map([[output, graph.input('seed', output.shape)]]), labels: null }
  const target =
    labels instanceof Int32Array
      ? graph.input('labels', [labels.length], 'i32')
      : graph.input('labels', output.shape)
  const { loss: result, gradients: seeds } = loss.record(graph.outputs, target)
  return { result, seeds, labels: target }
}

/** The forward and the backward half on a device, by hand. */
async function compute(
  device: Device,
  half: Graph,
  wanted: readonly Value[],
  numbers: ReadonlyMap<string, Float32Array | Int32Array>,
  options: CheckOptions,
) {
  const { result, seeds } = end(half, options)
  half.outputs.clear()
  half.outputs.set('result', result)
  // None where the compiler dropped it, as nothing read it.
  const leaves = wanted
    .map(({ name }) => half.inputs.get(name) ?? half.parameters.get(name))
    .filter((leaf) => leaf !== undefined)
  const found = differentiate(half, seeds, leaves)
  for (const leaf of leaves) {
    const gradient = found.get(leaf)
    if (gradient) half.outputs.set(`d ${leaf.name}`, gradient)
  }
  const plan = toPlan(half)
  using store = device.createStore()
  for (const { name, shape } of half.parameters.values())
    store.define(name, shape, (numbers.get(name) as Float32Array).slice())
  using program = await device.compile(plan, store)
  const given = (names: (name: string) => boolean) =>
    Object.fromEntries(
      plan.inputs.filter(({ name }) => names(name)).map(({ name }) => [name, numbers.get(name)!]),
    )
  const forward = await program.run(
    ['forward'],
    given((name) => name !== 'seed'),
    ['result'],
  )
  const parameters = new Map<string, Float32Array>()
  for (const name of half.parameters.keys()) parameters.set(name, await store.read(name))
  const names = plan.outputs.map(({ name }) => name).filter((name) => name !== 'result')
  // Gradients that are the seed itself need no backward half.
  const phases = plan.phases.map(({ name }) => name).filter((name) => name === 'backward')
  const gradients =
    names.length > 0
      ? await program.run(
          phases,
          given((name) => name === 'seed'),
          names,
        )
      : {}
  return { result: forward.result!.data, gradients, names, parameters, schedule: program.describe() }
}

/**
 * Compares forward values, and the gradients of all leaves: of a loss, or of sum(output * seed) with a fixed random
 * seed.
 *
 * @param build - records the operations under test, in training mode
 */
export async function check(
  device: Device,
  build: (leaves: Leaves) => Value,
  options: CheckOptions = {},
): Promise<Checked> {
  const { bound = FLOAT32_BOUND, step = STEP } = options
  const { graph, numbers, wanted } = record(build, options)
  const half = optimize(graph)
  const { result, labels } = end(graph, options)
  if (labels) numbers.set(labels, options.labels!)
  const known = new Map([...numbers].map(([value, data]) => [value, dense(value.shape, data)]))
  const values = interpret(graph, known)
  const seed = options.loss ? Float32Array.of(1) : drawn('seed', result.shape)
  const byName = new Map([...numbers].map(([{ name }, data]) => [name, data]))
  const got = await compute(device, half, wanted, byName.set('seed', seed), options)

  const errors: Record<string, number> = { forward: relativeL2(got.result, values.get(result)!.data) }
  const loss = () => dot(interpret(graph, known).get(result)!.data, seed)
  for (const leaf of wanted) {
    const gradient = got.gradients[`d ${leaf.name}`]?.data
    const expected = differences(known.get(leaf)!.data, loss, step)
    if (gradient) Object.assign(errors, errorsOf(leaf.name, gradient, expected))
    else if (expected.some(({ slope }) => slope !== 0))
      errors[`${leaf.name}, which has no gradient`] = Number.NaN
  }
  return {
    wrong: Object.fromEntries(Object.entries(errors).filter(([, error]) => !(error < bound))),
    gradients: got.names.map((name) => name.slice(2)),
    schedule: got.schedule,
    parameters: got.parameters,
    reference: (value) => values.get(value)!,
    output: got.result,
  }
}

/** A way to move an array, and how fast the loss grows along it. */
interface Difference {
  readonly direction: Float64Array
  readonly single: boolean
  readonly slope: number
}

/** Central differences: of single elements here and there, and of all elements together. */
function differences(data: Float64Array, loss: () => number, step: number): Difference[] {
  const random = new RandomStream(11, data.length)
  const original = data.slice()
  const slopeWithin = (direction: Float64Array, reach: number) => {
    const [above, below] = [reach, -reach].map((distance) => {
      for (let i = 0; i < data.length; i++) data[i] = original[i]! + distance * direction[i]!
      return loss()
    })
    return (above! - below!) / (2 * reach)
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
      const slope = slopeWithin(direction, step)
      // Two steps disagree where a ReLU or a maximum changes its mind between them.
      if (Math.abs(slope - slopeWithin(direction, step / 4)) > 1e-6 * Math.max(1, Math.abs(slope))) continue
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
