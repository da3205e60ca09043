import { optimize, toPlan } from '../compile/compile.js'
import { parsePrecision, type InferencePrecision, type Precision } from '../compile/precision.js'
import { quantize } from '../compile/quantize.js'
import { InvalidArgumentError, UnsupportedError } from '../errors.js'
import { Graph, type Mode, type Value } from '../graph/graph.js'
import type { Pair } from '../graph/schema.js'
import type { Network, Parameter } from '../nn/module.js'
import { openCheckpoint, type Checkpoint } from '../io/checkpoint.js'
import type { Device } from '../runtime/device.js'
import { rangesOf, type Calibration } from './calibration.js'
import { InferenceProgram } from './inference.js'
import type { ModelInfo } from './info.js'
import { TrainingStep, type StepOptions } from './step.js'
import { TrainingProgram, type TrainingOptions } from './training.js'
import { Weights, type LoadReport, type SaveOptions } from './weights.js'

export interface CompileOptions {
  /** Images a run. Default 1. */
  readonly batch?: number
  /** Height and width of the images. Default: what the network was made for. */
  readonly size?: number | Pair
  /**
   * Element type in which activations are kept and multiplied. Parameters, statistics, losses and sums are float32
   * always. `'bf16'` needs a processor with AVX512_BF16, or a GPU. Default `'f32'`.
   */
  readonly precision?: Precision
  readonly signal?: AbortSignal
}

export interface InferenceOptions extends Omit<CompileOptions, 'precision'> {
  readonly training?: false
  /**
   * As {@link CompileOptions.precision}; or `'int8'`, for convolutions on integers of 8 bits, which needs a
   * `calibration` and a processor with AVX512_VNNI or AVX_VNNI. Default `'f32'`.
   */
  readonly precision?: InferencePrecision
  /** Of `'int8'`: what `calibrate` found for this network. */
  readonly calibration?: Calibration | undefined
}

export interface TraceOptions extends Omit<CompileOptions, 'signal'> {
  /** Names of parameters that do not learn. */
  readonly frozen?: ReadonlySet<string>
}

/**
 * A network with its weights. `Eval` and `Train` name its outputs at inference and in training.
 */
export class Model<Eval extends string = 'logits', Train extends string = Eval> {
  readonly weights: Weights

  constructor(
    readonly network: Network<Eval, Train>,
    readonly info: ModelInfo,
  ) {
    network.name()
    this.weights = new Weights(info, network.parameters())
  }

  get name(): string {
    return this.info.name
  }

  /** Parameters, running statistics and counters, in the order of the published checkpoints. */
  get parameters(): readonly Parameter[] {
    return this.weights.parameters
  }

  /** Number of trainable scalars. */
  get parameterCount(): number {
    return this.weights.count
  }

  /**
   * Takes over the weights of a checkpoint: `.pth`, `.pt`, `.th` or `.safetensors`.
   *
   * @param strict - throw when anything is missing, unexpected or of another shape. Default true.
   * @returns what was loaded, missing, unexpected and of another shape
   * @throws CheckpointError when the file is damaged, unsafe, or does not fit
   */
  async load(source: string | Checkpoint, options: { readonly strict?: boolean } = {}): Promise<LoadReport> {
    if (typeof source !== 'string') return this.weights.load(source, options)
    const checkpoint = await openCheckpoint(source)
    try {
      return await this.weights.load(checkpoint, options)
    } finally {
      await checkpoint.close()
    }
  }

  /**
   * Writes the weights as `.safetensors`, atomically, under the names of the published checkpoints. Name and options
   * of the network, preprocessing and names of the classes go with them, for `loadWeightsFile`.
   *
   * @throws WriteError when the file cannot be written
   */
  async save(path: string, options?: SaveOptions): Promise<void> {
    await this.weights.save(path, options)
  }

  /**
   * Records the network on images of a given size.
   *
   * @throws InvalidArgumentError for a batch or size that is no positive integer, or a size the network cannot take
   * @throws ShapeError naming the layer for which the image is too small
   */
  trace(mode: Mode, { batch = 1, size = this.info.input.size, frozen }: TraceOptions = {}): Graph {
    const [height, width] = typeof size === 'number' ? [size, size] : size
    for (const [name, value] of Object.entries({ batch, height, width }))
      if (!Number.isInteger(value) || value < 1)
        throw new InvalidArgumentError(`${name} must be a positive integer, got ${value}`, { subject: name })
    const { channels, size: own, fixed } = this.info.input
    if (fixed && (height !== own || width !== own))
      throw new InvalidArgumentError(
        `${this.name} takes images of ${own} x ${own} only, got ${height} x ${width}`,
        {
          subject: 'size',
          expected: `${own}`,
          got: `${height} x ${width}`,
        },
      )
    const graph = new Graph(mode, frozen)
    const outputs = this.network.forward(graph.input('input', [batch, channels, height, width]))
    for (const [name, value] of Object.entries<Value | undefined>(outputs))
      if (value) graph.outputs.set(name, value)
    return graph
  }

  /**
   * Compiles the network for batches of one size: for inference; with `training: true`, for forward and backward
   * by hand; with `training: { loss, optimizer }`, for whole steps. All share these weights.
   *
   * @throws OutOfMemoryError with the bytes asked for
   * @throws InvalidArgumentError for `'int8'` without a calibration, or with that of another network
   * @throws UnsupportedError for `'int8'` where the device has no such arithmetic
   */
  compile(device: Device, options?: InferenceOptions): Promise<InferenceProgram<Eval>>
  compile(device: Device, options: TrainingOptions): Promise<TrainingProgram<Train>>
  compile(device: Device, options: StepOptions): Promise<TrainingStep>
  async compile(
    device: Device,
    options: AnyOptions = {},
  ): Promise<InferenceProgram<Eval> | TrainingProgram<Train> | TrainingStep> {
    if (isStep(options)) return TrainingStep.compile(this, device, options)
    if (isByHand(options)) {
      const plan = TrainingProgram.plan(this, options)
      const program = await device.compile(plan, await this.weights.on(device), options.signal)
      return new TrainingProgram<Train>(this, program, plan, options)
    }
    const plan = toPlan(this.inferenceGraph(device, options))
    const program = await device.compile(plan, await this.weights.on(device), options.signal)
    return new InferenceProgram<Eval>(this.name, program, plan)
  }

  private inferenceGraph(device: Device, { precision, calibration, ...options }: InferenceOptions): Graph {
    const traced = this.trace('evaluation', options)
    if (precision !== 'int8') return optimize(traced, parsePrecision(precision))
    if (device.kind === 'cuda')
      throw new UnsupportedError(`${this.name}: int8 is for the CPU; a GPU computes in f32, f16 and bf16`, {
        subject: 'precision',
        expected: 'f32, f16, bf16',
        got: 'int8',
      })
    if (!calibration)
      throw new InvalidArgumentError(
        `${this.name}: int8 needs a calibration: 'calibrate' finds one, as --calibrate does`,
        {
          subject: 'calibration',
          expected: 'a calibration',
          got: 'none',
        },
      )
    const graph = optimize(traced)
    return quantize(graph, rangesOf(calibration, this.name, graph))
  }
}

type AnyOptions = InferenceOptions | TrainingOptions | StepOptions

function isStep(options: AnyOptions): options is StepOptions {
  return typeof options.training === 'object'
}

function isByHand(options: AnyOptions): options is TrainingOptions {
  return options.training === true
}
