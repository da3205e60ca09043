import { optimize, toPlan } from '../compile/compile.js'
import { parsePrecision } from '../compile/precision.js'
import { differentiate } from '../compile/gradient.js'
import { LOSS_SCALE, LOSS_SCALE_START, LossScaling } from '../compile/loss-scaling.js'
import type { Plan } from '../compile/plan.js'
import { InvalidArgumentError, ShapeError } from '../errors.js'
import type { Graph, Value } from '../graph/graph.js'
import type { Parameter } from '../nn/module.js'
import type { Device } from '../runtime/device.js'
import type { Program } from '../runtime/program.js'
import { CompiledProgram } from './compiled.js'
import type { Store } from '../runtime/store.js'
import { elementCount, formatShape, sameShape, Tensor, type Shape } from '../tensor.js'
import type { CompileOptions, Model } from './model.js'
import { frozenNames, matches, type Pattern } from './patterns.js'
import { randomWords } from './random-words.js'

/** A loss: records itself on a network's outputs and says where gradients start. */
export interface Loss {
  /** What a label is: a class, or (for soft labels, mixup, regression) an array of the output's shape. */
  readonly labels: 'classes' | 'arrays'
  /**
   * Adds the loss to the graph.
   *
   * @returns the loss `[1]`, and the gradient of each output that takes part
   */
  record(
    outputs: ReadonlyMap<string, Value>,
    labels: Value,
  ): { readonly loss: Value; readonly gradients: ReadonlyMap<Value, Value> }
}

/** How one parameter is updated. */
export interface UpdateSettings {
  /** Multiplies the learning rate. */
  readonly lrScale: number
  readonly weightDecay: number
  /** Largest joint norm of all gradients; 0 for no limit. */
  readonly maxNorm: number
}

/** An optimizer: records the update of one parameter, and names the state that it keeps beside it. */
export interface Optimizer {
  /** Learning rate of the first step. */
  readonly lr: number
  readonly weightDecay: number
  /** Names of the arrays, of the parameter's shape, that it keeps for each parameter. */
  readonly state: readonly string[]
  /** Values that arrays of the state start with, where not with 0. */
  readonly starts?: Readonly<Record<string, number>>
  /** Bias corrections of an update, counted from 1. Default: none. */
  corrections?(update: number): readonly [number, number]
  record(
    graph: Graph,
    operands: {
      readonly parameter: Value
      readonly gradient: Value
      readonly scalars: Value
      readonly norm: Value
      readonly state: readonly Value[]
    },
    settings: UpdateSettings,
  ): void
}

/** Settings of some parameters that differ from the optimizer's. */
export interface ParameterGroup {
  readonly match: Pattern
  /** Multiplies the learning rate. Default 1. */
  readonly lrScale?: number
  /** Default: the optimizer's. */
  readonly weightDecay?: number
}

export interface TrainingStepOptions {
  readonly loss: Loss
  readonly optimizer: Optimizer
  /**
   * Parameters that stay as they are, by name, by the path of their layer, or by pattern. A frozen batch norm
   * uses its running statistics.
   */
  readonly freeze?: readonly Pattern[] | undefined
  /** The first group that matches a parameter counts. */
  readonly groups?: readonly ParameterGroup[] | undefined
  /** Which parameters weight decay acts on: all (default), or only weights of convolutions and linear layers. */
  readonly decay?: 'all' | 'weights' | undefined
  /** Largest joint l2 norm of all gradients. Default: no limit. */
  readonly clipNorm?: number | undefined
  /** Batches whose gradients are averaged before an update. Default 1. */
  readonly accumulate?: number | undefined
  /** Keep fewer activations for the backward half and compute the others anew: less memory, more time. */
  readonly checkpointing?: boolean | undefined
  /** Decay of an exponential moving average of the weights, kept beside them. Default: none. */
  readonly average?: number | undefined
  /** Seed of dropout. Default 0. */
  readonly seed?: number | undefined
}

export interface StepOptions extends CompileOptions {
  readonly training: TrainingStepOptions
}

export interface StepResult {
  /** Mean over the batch. */
  readonly loss: number
  /** `[N, classes]`, before the update. */
  readonly logits: Tensor
  /** Joint l2 norm of the gradients; null in a run that only accumulates. */
  readonly gradientNorm: number | null
  /**
   * Whether the weights were changed: false while accumulating, and where a gradient was not finite. With
   * `precision: 'f16'` the scale of the loss was halved then, and the next step goes on.
   */
  readonly updated: boolean
}

type Inputs = Record<string, Float32Array | Int32Array>

const AVERAGE = 'average'
const ACCUMULATED = 'gradient'

/** One training step as one native call: forward, loss, backward and update. */
export class TrainingStep extends CompiledProgram {
  /** Learning rate of the next run. */
  lr: number
  /** Updates made so far. */
  updates = 0
  /** Batches seen so far. */
  batches = 0
  private readonly names: readonly string[]
  private readonly shapes: ReadonlyMap<string, Shape>
  /** Ends with the run that was started last. */
  private last: Promise<unknown> | null = null

  private constructor(
    private readonly model: Model<string, string>,
    program: Program,
    plan: Plan,
    private readonly options: TrainingStepOptions,
  ) {
    super(program)
    this.lr = options.optimizer.lr
    const parameters = new Set(model.parameters.map(({ name }) => name))
    this.names = plan.parameters.map(({ name }) => name).filter((name) => !parameters.has(name))
    this.shapes = new Map(
      [...plan.inputs, ...plan.parameters].map(({ name, buffer }) => [name, plan.buffers[buffer]!.shape]),
    )
  }

  /** @internal */
  static async compile(
    model: Model<string, string>,
    device: Device,
    options: StepOptions,
  ): Promise<TrainingStep> {
    const plan = stepPlan(model, options)
    const store = await model.weights.on(device)
    await defineState(model, store, plan, options.training.optimizer)
    const program = await device.compile(plan, store, options.signal)
    return new TrainingStep(model, program, plan, options.training)
  }

  /**
   * Runs one step. The weights change unless gradients are being accumulated, or one is not finite.
   *
   * Images and labels are copied before this returns: while a GPU computes, it takes in what the next call brings, so
   * that calls that do not wait for each other keep it busy. An optimizer with bias corrections (Adam) starts each
   * step only after the last one, since they count the updates that were made.
   *
   * @param images - `[N, C, H, W]`, a full batch
   * @param labels - class numbers, one an image; or an array for losses that take arrays
   * @throws ShapeError for images or labels of another shape
   * @throws InvalidArgumentError for a label that is no class
   */
  async run(
    images: Tensor,
    labels: Int32Array | Tensor,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<StepResult> {
    this.expectShape('images', images.shape, 'input')
    const { accumulate = 1, seed = 0 } = this.options
    const inputs: Inputs = {
      input: images.data,
      labels: this.checkLabels(labels),
    }
    if (this.shapes.has('random')) inputs.random = randomWords(seed, this.batches)
    const update = ++this.batches % accumulate === 0
    const result = this.execute(inputs, update, signal)
    const ended = result.then(
      () => undefined,
      () => undefined,
    )
    this.last = ended
    try {
      return await result
    } catch (error) {
      this.batches--
      throw error
    } finally {
      if (this.last === ended) this.last = null
    }
  }

  private async execute(
    given: Readonly<Inputs>,
    update: boolean,
    signal: AbortSignal | undefined,
  ): Promise<StepResult> {
    const { lr, last } = this
    const { optimizer, accumulate = 1 } = this.options
    const inputs = { ...given }
    if (optimizer.corrections && last) {
      for (const [name, data] of Object.entries(given)) inputs[name] = data.slice()
      await last
    }
    if (update) {
      const corrections = optimizer.corrections?.(this.updates + 1) ?? [1, 1]
      inputs.scalars = Float32Array.of(lr, 1 / accumulate, ...corrections)
    }
    const results = await this.program.run(
      update ? ['forward', 'backward', 'update'] : ['forward', 'backward'],
      inputs,
      update ? ['loss', 'logits', 'norm'] : ['loss', 'logits'],
      signal,
    )
    this.model.weights.countBatch()
    const gradientNorm = results.norm ? results.norm.data[0]! / accumulate : null
    const updated = gradientNorm !== null && Number.isFinite(gradientNorm)
    if (updated) this.updates++
    return { loss: results.loss!.data[0]!, logits: results.logits!, gradientNorm, updated }
  }

  /** What must be kept beside the weights to go on exactly: optimizer state, averages, gradients under way. */
  async state(): Promise<Map<string, Tensor>> {
    const state = new Map<string, Tensor>()
    for (const name of this.names)
      state.set(name, new Tensor(this.shapes.get(name)!, await this.program.store.read(name), 'f32'))
    return state
  }

  /**
   * Goes on from what {@link state} gave.
   * @throws InvalidArgumentError naming what is missing or unknown
   */
  async restore(
    state: ReadonlyMap<string, Tensor>,
    { updates, batches }: { updates: number; batches: number },
  ): Promise<void> {
    for (const name of this.names)
      if (!state.has(name))
        throw new InvalidArgumentError(`the saved state lacks '${name}'`, { subject: name })
    for (const [name, { shape, data }] of state) {
      if (!this.names.includes(name))
        throw new InvalidArgumentError(`the saved state has '${name}', which this optimizer does not keep`, {
          subject: name,
        })
      this.expectShape(name, shape, name)
      await this.program.store.write(name, data)
    }
    this.updates = updates
    this.batches = batches
  }

  /** The moving average of the weights, by name; empty unless `average` was asked for. */
  async averages(): Promise<Map<string, Float32Array>> {
    const averages = new Map<string, Float32Array>()
    for (const name of this.names)
      if (name.startsWith(`${AVERAGE}/`))
        averages.set(name.slice(AVERAGE.length + 1), await this.program.store.read(name))
    return averages
  }

  private checkLabels(labels: Int32Array | Tensor): Int32Array | Float32Array {
    const { classes } = this.model.info
    if (this.options.loss.labels === 'arrays') {
      if (labels instanceof Int32Array)
        throw new InvalidArgumentError('this loss takes labels as an array of floats, got class numbers', {
          subject: 'labels',
        })
      this.expectShape('labels', labels.shape, 'labels')
      return labels.data
    }
    if (!(labels instanceof Int32Array))
      throw new InvalidArgumentError('this loss takes class numbers as labels, got an array of floats', {
        subject: 'labels',
      })
    this.expectShape('labels', [labels.length], 'labels')
    const wrong = labels.findIndex((label) => label < 0 || label >= classes)
    if (wrong >= 0)
      throw new InvalidArgumentError(
        `label ${labels[wrong]} of image ${wrong} is no class of 0 to ${classes - 1}`,
        {
          subject: 'labels',
          expected: `0 to ${classes - 1}`,
          got: String(labels[wrong]),
        },
      )
    return labels
  }

  private expectShape(what: string, got: Shape, name: string): void {
    const expected = this.shapes.get(name)!
    if (!sameShape(got, expected))
      throw new ShapeError(
        `${this.model.name} expects ${what} of shape ${formatShape(expected)}, got ${formatShape(got)}`,
        {
          subject: what,
          expected: formatShape(expected),
          got: formatShape(got),
        },
      )
  }
}

function stepPlan(model: Model<string, string>, { training, ...options }: StepOptions): Plan {
  const { loss, freeze = [], accumulate = 1, checkpointing = false } = training
  if (!Number.isInteger(accumulate) || accumulate < 1)
    throw new InvalidArgumentError(`accumulate must be a positive integer, got ${accumulate}`, {
      subject: 'accumulate',
    })
  const frozen = frozenNames(model.parameters, freeze)
  const precision = parsePrecision(options.precision)
  const graph = optimize(model.trace('training', { ...options, frozen }), precision)
  const logits = graph.outputs.get('logits')!
  const labels =
    loss.labels === 'classes'
      ? graph.input('labels', [logits.shape[0]!], 'i32')
      : graph.input('labels', logits.shape)
  const recorded = loss.record(graph.outputs, labels)
  graph.outputs.clear()
  graph.outputs.set('loss', recorded.loss)
  graph.outputs.set('logits', logits)

  const learning = model.parameters.filter(
    ({ name, trainable }) => trainable && graph.parameters.has(name) && !frozen.has(name),
  )
  const scaling = precision === 'f16' ? new LossScaling(graph) : null
  const found = differentiate(
    graph,
    scaling?.scale(recorded.gradients) ?? recorded.gradients,
    learning.map((parameter) => graph.parameter(parameter)),
    { checkpointing },
  )
  const gradients = new Map<Parameter, Value>()
  for (const parameter of learning) {
    const gradient = found.get(graph.parameter(parameter))
    if (gradient)
      gradients.set(parameter, accumulate === 1 ? gradient : accumulated(graph, parameter, gradient))
  }
  if (gradients.size === 0)
    throw new InvalidArgumentError(`${model.name} has nothing to train: every parameter is frozen`, {
      subject: 'freeze',
    })
  recordUpdate(graph, gradients, training, scaling)
  return toPlan(graph)
}

function besideParameter(graph: Graph, kind: string, { name, shape }: Parameter): Value {
  return graph.parameter({ name: `${kind}/${name}`, shape })
}

function accumulated(graph: Graph, parameter: Parameter, gradient: Value): Value {
  const sum = besideParameter(graph, ACCUMULATED, parameter)
  return graph.add('accumulate', [sum, gradient], {}, [sum])[0]!
}

function recordUpdate(
  graph: Graph,
  gradients: ReadonlyMap<Parameter, Value>,
  options: TrainingStepOptions,
  scaling: LossScaling | null,
): void {
  const { optimizer, groups = [], decay = 'all', clipNorm = 0, accumulate = 1, average } = options
  graph.phase = 'update'
  const given = graph.input('scalars', [4])
  const norm = graph.add('gradientNorm', [...gradients.values()], {}, [{ shape: [1], dtype: 'f32' }])[0]!
  const unscaled = scaling?.unscale(given, norm) ?? { scalars: given, norm }
  const { scalars } = unscaled
  graph.outputs.set('norm', unscaled.norm)
  for (const [parameter, gradient] of gradients)
    // An update has no layer of its own: it goes by the parameter's name.
    graph.within(parameter.name, () => {
      const group = groups.find(({ match }) => matches(match, parameter.name))
      const decays = decay === 'all' || parameter.role === 'convolution' || parameter.role === 'linear'
      const value = graph.parameter(parameter)
      const state = optimizer.state.map((kind) => besideParameter(graph, kind, parameter))
      optimizer.record(
        graph,
        { parameter: value, gradient, scalars, norm, state },
        {
          lrScale: group?.lrScale ?? 1,
          weightDecay: group?.weightDecay ?? (decays ? optimizer.weightDecay : 0),
          maxNorm: clipNorm,
        },
      )
      if (accumulate > 1) graph.add('clear', [gradient], {}, [gradient])
      if (average !== undefined) {
        const kept = besideParameter(graph, AVERAGE, parameter)
        graph.add('movingAverage', [kept, value], { decay: average }, [kept])
      }
    })
}

/** Adds what the plan keeps beside the weights to the store: averages start as the weights. */
async function defineState(
  model: Model<string, string>,
  store: Store,
  plan: Plan,
  { starts = {} }: Optimizer,
): Promise<void> {
  const parameters = new Set(model.parameters.map(({ name }) => name))
  for (const { name, buffer } of plan.parameters) {
    if (parameters.has(name)) continue
    const { shape } = plan.buffers[buffer]!
    store.define(name, shape, await startOf(store, name, shape, starts))
  }
}

async function startOf(
  store: Store,
  name: string,
  shape: Shape,
  starts: Readonly<Record<string, number>>,
): Promise<Float32Array> {
  if (name === LOSS_SCALE) return Float32Array.from(LOSS_SCALE_START)
  const slash = name.indexOf('/')
  const kind = name.slice(0, slash)
  if (kind === AVERAGE) return store.read(name.slice(slash + 1))
  return new Float32Array(elementCount(shape)).fill(starts[kind] ?? 0)
}
