import { crc32 } from 'node:zlib'
import { CheckpointError, InvalidArgumentError, ShapeError } from '../errors.js'
import type { Checkpoint, CheckpointTensor } from '../io/checkpoint.js'
import { writeSafetensors, type SafetensorsEntry } from '../io/safetensors.js'
import type { Parameter } from '../nn/module.js'
import { RandomStream } from '../random.js'
import type { Device } from '../runtime/device.js'
import type { TensorInFile } from '../runtime/native.js'
import type { Store } from '../runtime/store.js'
import { elementCount, formatShape, sameShape, type Shape } from '../tensor.js'
import { describeModel } from './description.js'
import { FileValue, HeldFiles, type HeldFile } from './file-value.js'
import type { ModelInfo } from './info.js'

/** What {@link Weights.load} did with a checkpoint. */
export interface LoadReport {
  /** Names of the parameters that have new values. */
  readonly loaded: readonly string[]
  /** Parameters that the checkpoint does not have; counters of batch norm are not counted. */
  readonly missing: readonly string[]
  /** Tensors of the checkpoint that the network does not have; those of auxiliary heads and counters are not counted. */
  readonly unexpected: readonly string[]
  /** Tensors whose shape is not the parameter's. */
  readonly mismatched: readonly { readonly name: string; readonly expected: Shape; readonly got: Shape }[]
}

/** What a weights file tells in place of what is known of the model. */
export type SaveOptions = Pick<Partial<ModelInfo>, 'preprocessing' | 'labels'>

/**
 * The state of one model. It lies in host memory, or in the file that it was loaded from, until a program is
 * compiled; from then on it lives in the device's store, which programs share. A second device gets a copy.
 */
export class Weights {
  private readonly byName: ReadonlyMap<string, Parameter>
  private readonly host = new Map<string, Float32Array | FileValue>()
  private readonly counters = new Map<string, bigint>()
  private readonly stores = new Map<Device, Promise<Store>>()
  /** Seed of the parameters that nobody loads or sets. */
  seed = 0

  constructor(
    private readonly info: ModelInfo,
    readonly parameters: readonly Parameter[],
  ) {
    this.byName = new Map(parameters.map((parameter) => [parameter.name, parameter]))
    for (const { role, name } of parameters) if (role === 'counter') this.counters.set(name, 0n)
  }

  /** Number of trainable scalars. */
  get count(): number {
    return this.parameters.reduce((sum, p) => sum + (p.trainable ? elementCount(p.shape) : 0), 0)
  }

  /**
   * Replaces the values of one parameter or running statistic. The array is kept: do not write to it afterwards.
   *
   * @throws InvalidArgumentError for a name that the network does not have
   * @throws ShapeError when the number of elements is not the parameter's
   */
  async set(name: string, data: Float32Array): Promise<void> {
    const { shape } = this.parameter(name)
    if (data.length !== elementCount(shape))
      throw new ShapeError(
        `${name} of ${this.info.name} has shape ${formatShape(shape)}, got ${data.length} elements`,
        {
          subject: name,
          expected: formatShape(shape),
          got: String(data.length),
        },
      )
    await this.replace(name, data)
  }

  /**
   * A copy of the values of one parameter or running statistic, in row-major order.
   * @throws InvalidArgumentError for a name that the network does not have
   */
  async get(name: string): Promise<Float32Array> {
    const parameter = this.parameter(name)
    for (const store of this.stores.values()) return (await store).read(name)
    const value = this.hostValue(parameter)
    return value instanceof FileValue ? value.read() : value.slice()
  }

  /** How many batches a batch norm has seen in training. */
  counter(name: string): bigint {
    return this.counters.get(name) ?? 0n
  }

  /**
   * Replaces how many batches a batch norm has seen.
   * @throws InvalidArgumentError for a name that no batch norm has
   */
  setCounter(name: string, count: bigint): void {
    if (!this.counters.has(name))
      throw new InvalidArgumentError(`${this.info.name} has no counter '${name}'`, { subject: name })
    this.counters.set(name, count)
  }

  /** Counts a batch in every batch norm. */
  countBatch(): void {
    for (const [name, count] of this.counters) this.counters.set(name, count + 1n)
  }

  /**
   * Takes over the values of a checkpoint. Nothing changes unless everything could be read. Float32 values stay in
   * their file, from which programs take what they need when they are compiled: it may be replaced, but must not be
   * overwritten.
   *
   * @param strict - throw when anything is missing, unexpected or of another shape. Default true.
   * @throws CheckpointError listing what does not fit
   */
  async load(
    checkpoint: Checkpoint,
    { strict = true }: { readonly strict?: boolean } = {},
  ): Promise<LoadReport> {
    const { report, found } = this.match(checkpoint)
    if (strict) this.refuseMisfit(checkpoint, report)
    const values: [string, Float32Array | FileValue][] = []
    const counters: [string, bigint][] = []
    const files = new HeldFiles()
    for (const [name, tensor] of found)
      if (this.counters.has(name)) counters.push([name, (await tensor.readInt64())[0]!])
      else if (this.stores.size > 0) values.push([name, await tensor.read()])
      else values.push([name, (await files.value(tensor)) ?? (await tensor.read())])
    for (const [name, value] of counters) this.counters.set(name, value)
    for (const [name, value] of values) await this.replace(name, value)
    return report
  }

  /**
   * Writes parameters, running statistics and counters as safetensors, atomically, and with them what is known of
   * the model.
   *
   * @throws WriteError when the file cannot be written
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    const entries = this.parameters.map(({ name, shape, role }): SafetensorsEntry => {
      if (role === 'counter') return { name, shape, dtype: 'i64', data: BigInt64Array.of(this.counter(name)) }
      return { name, shape, dtype: 'f32', data: () => this.get(name) }
    })
    await writeSafetensors(path, entries, describeModel({ ...this.info, ...options }))
  }

  /** The store that holds these weights on a device; made at the first call. */
  on(device: Device): Promise<Store> {
    let store = this.stores.get(device)
    if (!store) {
      const [source] = this.stores.values()
      store = source ? this.replicate(device, source) : this.upload(device)
      this.stores.set(device, store)
    }
    return store
  }

  private upload(device: Device): Promise<Store> {
    const store = device.createStore()
    const inFiles = new Map<HeldFile, TensorInFile[]>()
    for (const parameter of this.arrays()) {
      const { name, shape } = parameter
      const value = this.hostValue(parameter)
      if (value instanceof FileValue) {
        const { held, position } = value
        inFiles.set(held, [...(inFiles.get(held) ?? []), { name, shape, position }])
      } else store.define(name, shape, value)
    }
    for (const [{ file }, tensors] of inFiles) {
      file.checkUnchanged()
      store.defineFromFile(file, tensors)
    }
    this.host.clear()
    for (const held of inFiles.keys()) held.close()
    return Promise.resolve(store)
  }

  private async replace(name: string, value: Float32Array | FileValue): Promise<void> {
    if (this.stores.size === 0) {
      this.host.set(name, value)
      return
    }
    const data = value instanceof FileValue ? await value.read() : value
    for (const store of this.stores.values()) await (await store).write(name, data)
  }

  private async replicate(device: Device, source: Promise<Store>): Promise<Store> {
    const store = device.createStore()
    for (const { name, shape } of this.arrays()) store.define(name, shape, await (await source).read(name))
    return store
  }

  private arrays(): readonly Parameter[] {
    return this.parameters.filter(({ role }) => role !== 'counter')
  }

  private parameter(name: string): Parameter {
    const parameter = this.byName.get(name)
    if (!parameter || parameter.role === 'counter')
      throw new InvalidArgumentError(`${this.info.name} has no parameter '${name}'`, { subject: name })
    return parameter
  }

  /** The loaded values, or the initial ones: a function of the seed and the name. */
  private hostValue({ name, shape, initializer }: Parameter): Float32Array | FileValue {
    let data = this.host.get(name)
    if (!data) {
      data = new Float32Array(elementCount(shape))
      initializer(data, shape, new RandomStream(this.seed, crc32(name)))
      this.host.set(name, data)
    }
    return data
  }

  private match(checkpoint: Checkpoint): { report: LoadReport; found: Map<string, CheckpointTensor> } {
    const { checkpointName = (name: string) => name, auxiliaryHeads = [] } = this.info
    const found = new Map<string, CheckpointTensor>()
    const unexpected: string[] = []
    const mismatched: LoadReport['mismatched'][number][] = []
    const seen = new Set<string>()
    for (const tensor of checkpoint.tensors.values()) {
      const name = checkpointName(tensor.name)
      const parameter = this.byName.get(name)
      if (!parameter) {
        const ignored = auxiliaryHeads.some((head) => name.startsWith(`${head}.`)) || name.endsWith(COUNTER)
        if (!ignored) unexpected.push(tensor.name)
        continue
      }
      seen.add(name)
      if (sameShape(parameter.shape, tensor.shape)) found.set(name, tensor)
      else mismatched.push({ name, expected: parameter.shape, got: tensor.shape })
    }
    const missing = this.parameters
      .filter(({ name, role }) => role !== 'counter' && !seen.has(name))
      .map(({ name }) => name)
    return { report: { loaded: [...found.keys()], missing, unexpected, mismatched }, found }
  }

  private refuseMisfit(checkpoint: Checkpoint, { missing, unexpected, mismatched }: LoadReport): void {
    const shapes = mismatched.map(
      ({ name, expected, got }) => `${name} (expected ${formatShape(expected)}, got ${formatShape(got)})`,
    )
    const parts = [
      listing('missing', missing),
      listing('unexpected', unexpected),
      listing('of another shape', shapes),
    ].filter((part) => part !== null)
    if (parts.length === 0) return
    throw new CheckpointError(
      'CHECKPOINT_MISMATCH',
      `${checkpoint.path} does not fit ${this.info.name}: ${parts.join('; ')}`,
      { subject: checkpoint.path },
    )
  }
}

/** What PyTorch's batch norms count, which a checkpoint may have or not. */
const COUNTER = '.num_batches_tracked'

const LISTED = 8

function listing(what: string, names: readonly string[]): string | null {
  if (names.length === 0) return null
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : ''
  return `${names.length} ${what}: ${names.slice(0, LISTED).join(', ')}${more}`
}
