import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

export interface Store {
  define(name: string, dtype: string, shape: readonly number[], data: unknown): void
  write(name: string, data: unknown): Promise<void>
  read(name: string): Promise<ArrayBuffer>
  dispose(): void
}

export interface Program {
  run(
    phases: unknown,
    inputs: unknown,
    outputs: unknown,
    token?: unknown,
  ): Promise<Record<string, ArrayBuffer>>
  profile(
    phases: unknown,
    inputs: unknown,
    caches: unknown,
    token?: unknown,
  ): Promise<{ steps: Float64Array; total: number }>
  describe(): {
    phase: string
    op: string
    path: string
    implementation: string
    inputs: string[]
    outputs: string[]
    bytes: number
    scratchBytes: number
    inPlace: boolean
    instruction: number
  }[]
  arena(): { offset: number; bytes: number; first: number; last: number }[]
  readonly arenaBytes: number
  dispose(): void
}

export interface Device {
  readonly description: string
  memory(): { live: number; peak: number }
  createStore(): Store
  compile(plan: unknown, store: unknown, token?: unknown): Promise<Program>
  close(): void
}

export interface Addon {
  openDevice(name: unknown, options?: unknown): Device
  openCudaDevice(name: unknown, options?: unknown): Promise<Device>
  schema(): Record<string, Record<string, string | string[]>>
  shutdown(): void
  CancelToken: new () => { cancel(): void }
}

export const addonPath = fileURLToPath(new URL('../../build/Release/fovea.node', import.meta.url))
export const addon = createRequire(import.meta.url)(addonPath) as Addon

export const convolution = {
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  dilation: [1, 1],
  groups: 1,
  activation: 'none',
}

/** Builds plans by hand; every method returns buffer numbers. */
export class PlanBuilder {
  readonly buffers: { dtype: string; shape: readonly number[] }[] = []
  readonly instructions: {
    op: string
    inputs: number[]
    outputs: number[]
    attributes: Record<string, unknown>
    path: string
  }[] = []
  readonly phases: { name: string; begin: number; end: number }[] = []
  readonly inputs: { name: string; buffer: number }[] = []
  readonly outputs: { name: string; buffer: number }[] = []
  readonly parameters: { name: string; buffer: number; updated: boolean }[] = []

  buffer(shape: readonly number[], dtype = 'f32'): number {
    return this.buffers.push({ dtype, shape }) - 1
  }

  input(name: string, shape: readonly number[], dtype = 'f32'): number {
    const buffer = this.buffer(shape, dtype)
    this.inputs.push({ name, buffer })
    return buffer
  }

  parameter(name: string, shape: readonly number[], updated = false): number {
    const buffer = this.buffer(shape)
    this.parameters.push({ name, buffer, updated })
    return buffer
  }

  /** Instructions from here on belong to this phase. */
  phase(name: string): this {
    const begin = this.instructions.length
    this.phases.push({ name, begin, end: begin })
    return this
  }

  run(
    op: string,
    inputs: number[],
    outputs: number[],
    attributes: Record<string, unknown> = {},
    path = op,
  ): void {
    this.instructions.push({ op, inputs, outputs, attributes, path })
    this.phases.at(-1)!.end = this.instructions.length
  }

  convolution(x: number, weight: number, path = 'conv'): number {
    const [n, , h, w] = this.buffers[x]!.shape as [number, number, number, number]
    const y = this.buffer([n, this.buffers[weight]!.shape[0]!, h, w])
    this.run('convolution', [x, weight, -1, -1], [y], convolution, path)
    return y
  }

  add(a: number, b: number, activation = 'none'): number {
    const y = this.buffer(this.buffers[a]!.shape)
    this.run('add', [a, b], [y], { activation })
    return y
  }

  elementwise(x: number, kind = 'relu', alpha = 1, beta = 1): number {
    const y = this.buffer(this.buffers[x]!.shape)
    this.run('elementwise', [x], [y], { kind, alpha, beta })
    return y
  }

  output(name: string, buffer: number): this {
    this.outputs.push({ name, buffer })
    return this
  }
}

/** Numbers between -1 and 1 that are the same at every call. */
export function noise(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = Math.imul(seed, 2654435761) >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

export const floats = (buffer: ArrayBuffer | undefined) => new Float32Array(buffer!)

/** A chain of convolutions that takes a few seconds on two cores, so that things can happen while it runs. */
export function longPlan(layers = 400): PlanBuilder {
  const plan = new PlanBuilder().phase('forward')
  const weight = plan.parameter('weight', [64, 64, 3, 3])
  let x = plan.input('x', [2, 64, 56, 56])
  for (let i = 0; i < layers; i++) x = plan.convolution(x, weight, `conv${i}`)
  return plan.output('y', x)
}
export const longInput = () => ({ x: new Float32Array(2 * 64 * 56 * 56).fill(1) })

/** A kernel of one tap, through which a convolution hands on what it gets. */
const identity = () =>
  Float32Array.from({ length: 64 * 64 * 9 }, (_, i) =>
    i % 9 === 4 && Math.floor(i / 576) === Math.floor(i / 9) % 64 ? 1 : 0,
  )

export function longStore(device: Device): Store {
  const store = device.createStore()
  store.define('weight', 'f32', [64, 64, 3, 3], identity())
  return store
}

/** Whether a result is all ones, as the long programs hand on their input. */
export const ones = (buffer: ArrayBuffer | undefined) => floats(buffer).every((value) => value === 1)
