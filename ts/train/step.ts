import { compile } from '../compile/compile.js'
import { differentiate } from '../compile/gradient.js'
import type { Plan } from '../compile/plan.js'
import { InvalidArgumentError } from '../errors.js'
import type { CompileOptions, Model } from '../model/model.js'
import type { Device } from '../runtime/device.js'
import type { ScheduleEntry } from '../runtime/native.js'
import type { Program } from '../runtime/program.js'
import { elementCount, type Tensor } from '../tensor.js'
import type { Loss } from './loss.js'
import type { Optimizer } from './optimizer.js'

export interface StepOptions extends CompileOptions {
  readonly loss: Loss
  readonly optimizer: Optimizer
}

/** One training step as one native call: forward, loss, backward and update. */
export class TrainingStep {
  /** Learning rate of the next run. */
  lr: number

  private constructor(
    private readonly program: Program,
    private readonly classes: number,
    optimizer: Optimizer,
  ) {
    this.lr = optimizer.lr
  }

  static async compile(model: Model, device: Device, options: StepOptions): Promise<TrainingStep> {
    const plan = stepPlan(model, options)
    const store = await model.weights.on(device)
    const shapes = new Map(model.parameters.map(({ name, shape }) => [name, shape]))
    for (const { name, buffer } of plan.parameters)
      if (!shapes.has(name))
        store.define(
          name,
          plan.buffers[buffer]!.shape,
          new Float32Array(elementCount(plan.buffers[buffer]!.shape)),
        )
    return new TrainingStep(
      await device.compile(plan, store, options.signal),
      model.info.classes,
      options.optimizer,
    )
  }

  /**
   * Runs one step and updates the weights.
   *
   * @param images - `[N, C, H, W]`, a full batch
   * @param labels - class numbers, one an image
   * @throws InvalidArgumentError for a label that is no class
   */
  async run(images: Tensor, labels: Int32Array): Promise<{ readonly loss: number }> {
    const wrong = labels.findIndex((label) => label < 0 || label >= this.classes)
    if (wrong >= 0)
      throw new InvalidArgumentError(
        `label ${labels[wrong]} of image ${wrong} is no class of 0 to ${this.classes - 1}`,
        {
          subject: 'labels',
          expected: `0 to ${this.classes - 1}`,
          got: String(labels[wrong]),
        },
      )
    const inputs = { input: images.data, labels, scalars: Float32Array.of(this.lr) }
    const { loss } = await this.program.run(['forward', 'backward', 'update'], inputs, ['loss'])
    return { loss: loss!.data[0]! }
  }

  describe(): readonly ScheduleEntry[] {
    return this.program.describe()
  }

  dispose(): void {
    this.program.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

function stepPlan(model: Model, { loss, optimizer, ...options }: StepOptions): Plan {
  const graph = model.trace('training', options)
  const labels = graph.input('labels', [options.batch ?? 1], 'i32')
  const { loss: value, gradients: seeds } = loss.record(graph.outputs, labels)
  graph.outputs.clear()
  graph.outputs.set('loss', value)

  const trainable = model.parameters.filter(
    (parameter) => parameter.trainable && graph.parameters.has(parameter.name),
  )
  const values = trainable.map((parameter) => graph.parameter(parameter))
  const gradients = differentiate(graph, seeds, values)

  graph.phase = 'update'
  const scalars = graph.input('scalars', [1])
  for (const parameter of values) {
    const gradient = gradients.get(parameter)
    if (!gradient) continue
    const state = optimizer.state.map((name) =>
      graph.parameter({ name: `${name}/${parameter.name}`, shape: parameter.shape }),
    )
    optimizer.record(graph, { parameter, gradient, state, scalars })
  }
  return compile(graph)
}
