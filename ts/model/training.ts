import { differentiate } from '../compile/gradient.js'
import { optimize, toPlan } from '../compile/compile.js'
import { parsePrecision } from '../compile/precision.js'
import type { Plan } from '../compile/plan.js'
import { BusyError, InvalidArgumentError, ShapeError } from '../errors.js'
import type { Profile, ProfileOptions } from '../runtime/profile.js'
import type { Program } from '../runtime/program.js'
import { CompiledProgram } from './compiled.js'
import { formatShape, sameShape, type Shape, type Tensor } from '../tensor.js'
import type { CompileOptions, Model } from './model.js'
import { frozenNames, type Pattern } from './patterns.js'
import { randomWords } from './random-words.js'

export interface TrainingOptions extends CompileOptions {
  /** Compile forward and backward as two calls. */
  readonly training: true
  /** Parameters whose gradients are not computed, by name, by the path of their layer, or by pattern. */
  readonly freeze?: readonly Pattern[]
  /** Whether the gradient of the images is computed as well. Default true. */
  readonly inputGradient?: boolean
  /** Keep fewer activations for the backward half and compute the others anew: less memory, more time. */
  readonly checkpointing?: boolean
  /** Seed of dropout. Default 0. */
  readonly seed?: number
}

/** What {@link TrainingProgram.forward} gives. */
export interface Forward<Outputs extends string> {
  /** One tensor an output; those of auxiliary heads too. */
  readonly output: Readonly<Record<Outputs, Tensor>>
  /**
   * Gradients of all parameters by their names in checkpoints, and of the images, given those of all outputs.
   *
   * @throws ShapeError when a gradient has not the shape of its output
   * @throws BusyError when called twice
   */
  readonly backward: (gradients: Readonly<Record<Outputs, Tensor>>) => Promise<Gradients>
  /** Gives the activations up without a backward half. */
  readonly discard: () => void
}

export interface Gradients {
  /** By the name of the parameter, in its shape. */
  readonly parameters: Readonly<Record<string, Tensor>>
  /** `[N, C, H, W]`; null where it was not asked for. */
  readonly input: Tensor | null
}

const SEED_PREFIX = 'gradient of '
const INPUT = 'input'

/** A network whose forward and backward halves are called by hand. It does not change the weights. */
export class TrainingProgram<Outputs extends string = 'logits'> extends CompiledProgram {
  /** `[N, C, H, W]` */
  readonly inputShape: Shape
  private readonly outputs: ReadonlyMap<Outputs, Shape>
  private readonly gradients: readonly string[]
  private readonly takesRandom: boolean
  private waiting = false
  private step = 0

  /** @internal */
  constructor(
    private readonly model: Model<string, Outputs>,
    program: Program,
    plan: Plan,
    private readonly options: TrainingOptions,
  ) {
    super(program)
    const shapeOf = (buffer: number) => plan.buffers[buffer]!.shape
    this.inputShape = shapeOf(plan.inputs.find(({ name }) => name === INPUT)!.buffer)
    const isGradient = (name: string) => name.startsWith(SEED_PREFIX)
    this.outputs = new Map(
      plan.outputs
        .filter(({ name }) => !isGradient(name))
        .map(({ name, buffer }) => [name as Outputs, shapeOf(buffer)]),
    )
    this.gradients = plan.outputs.map(({ name }) => name).filter(isGradient)
    this.takesRandom = plan.inputs.some(({ name }) => name === 'random')
  }

  /** The plan of both halves. */
  static plan<Outputs extends string>(model: Model<string, Outputs>, options: TrainingOptions): Plan {
    const { freeze = [], inputGradient = true, checkpointing = false } = options
    const frozen = frozenNames(model.parameters, freeze)
    const graph = optimize(model.trace('training', { ...options, frozen }), parsePrecision(options.precision))
    const results = [...graph.outputs]
    const seeds = new Map(
      results.map(([name, value]) => [value, graph.input(SEED_PREFIX + name, value.shape)] as const),
    )
    const learning = model.parameters.filter(
      ({ name, trainable }) => trainable && graph.parameters.has(name) && !frozen.has(name),
    )
    const wanted = learning.map((parameter) => graph.parameter(parameter))
    const images = graph.inputs.get(INPUT)!
    if (inputGradient) wanted.push(images)
    if (wanted.length === 0)
      throw new InvalidArgumentError(
        `${model.name}: no gradient is asked for: all is frozen, and inputGradient is false`,
        {
          subject: 'freeze',
        },
      )
    const gradients = differentiate(graph, seeds, wanted, { checkpointing })
    for (const value of wanted) {
      const gradient = gradients.get(value)
      if (gradient) graph.outputs.set(SEED_PREFIX + value.name, gradient)
    }
    return toPlan(graph)
  }

  /**
   * Runs the forward half in training mode: batch norm by the batch's statistics, which update the running ones,
   * dropout, auxiliary heads.
   *
   * @param images - `[N, C, H, W]`, a full batch
   * @throws BusyError before the `backward` (or `discard`) of an earlier call
   * @throws ShapeError when the images have another shape
   */
  async forward(
    images: Tensor,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Forward<Outputs>> {
    if (this.waiting)
      throw new BusyError(
        `${this.model.name}: a second forward before the backward (or discard) of the first`,
        {
          subject: this.model.name,
        },
      )
    this.expectShape('images', images.shape, this.inputShape)
    this.waiting = true
    const random = this.takesRandom ? { random: randomWords(this.options.seed ?? 0, this.step) } : {}
    let results: Readonly<Record<string, Tensor>>
    try {
      results = await this.program.run(
        ['forward'],
        { input: images.data, ...random },
        [...this.outputs.keys()],
        signal,
      )
    } catch (error) {
      this.waiting = false
      throw error
    }
    this.step++
    this.model.weights.countBatch()
    let open = true
    const finish = () => {
      if (!open) throw new BusyError(`${this.model.name}: the activations of this forward are used up`)
      open = false
    }
    return {
      output: results,
      backward: async (gradients) => {
        const inputs = this.seeds(gradients)
        finish()
        try {
          return this.named(await this.program.run(['backward'], inputs, this.gradients, signal))
        } finally {
          this.waiting = false
        }
      },
      discard: () => {
        finish()
        this.waiting = false
      },
    }
  }

  private seeds(gradients: Readonly<Record<string, Tensor>>): Record<string, Float32Array> {
    for (const name of Object.keys(gradients))
      if (!this.outputs.has(name as Outputs))
        throw new InvalidArgumentError(
          `${this.model.name} has no output '${name}': it has ${[...this.outputs.keys()].join(', ')}`,
          { subject: name },
        )
    return Object.fromEntries(
      [...this.outputs].map(([name, shape]) => {
        const gradient = gradients[name]
        if (!gradient)
          throw new InvalidArgumentError(`the gradient of ${this.model.name}'s output '${name}' is missing`, {
            subject: name,
          })
        this.expectShape(`the gradient of '${name}'`, gradient.shape, shape)
        return [SEED_PREFIX + name, gradient.data]
      }),
    )
  }

  /** @throws BusyError between `forward` and its `backward` (or `discard`): their activations would be lost */
  override async profile(options: ProfileOptions = {}): Promise<Profile> {
    if (this.waiting)
      throw new BusyError(`${this.model.name}: a profile before the backward (or discard) of a forward`, {
        subject: this.model.name,
      })
    return super.profile(options)
  }

  private named(results: Readonly<Record<string, Tensor>>): Gradients {
    const byName = Object.entries(results).map(
      ([name, value]) => [name.slice(SEED_PREFIX.length), value] as const,
    )
    const { [INPUT]: input = null, ...parameters } = Object.fromEntries(byName) as Record<string, Tensor>
    return { parameters, input }
  }

  private expectShape(what: string, got: Shape, expected: Shape): void {
    if (!sameShape(got, expected))
      throw new ShapeError(
        `${this.model.name} expects ${what} of shape ${formatShape(expected)}, got ${formatShape(got)}`,
        { subject: what, expected: formatShape(expected), got: formatShape(got) },
      )
  }
}
