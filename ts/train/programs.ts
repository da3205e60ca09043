import type { Precision } from '../compile/precision.js'
import { inputSide } from '../data/preprocessing.js'
import type { Model } from '../model/model.js'
import type { Pattern } from '../model/patterns.js'
import type { TrainingStep, TrainingStepOptions } from '../model/step.js'
import type { Device } from '../runtime/device.js'
import type { Tensor } from '../tensor.js'
import { AverageModel } from './average.js'
import { kernelsDigest } from './identity.js'
import { Validator, type ValidatorOptions } from './validate.js'

export interface ProgramsOptions {
  readonly model: Model<'logits', string>
  readonly device: Device
  readonly step: TrainingStepOptions
  readonly precision: Precision
  /** What is frozen in each part of the training. */
  readonly freezes: readonly (readonly Pattern[])[]
  readonly validator: Omit<ValidatorOptions, 'precision'>
  /** Whether there is anything to validate with. */
  readonly validates: boolean
}

/**
 * The compiled programs of a training. A part of it with other frozen layers has its own; they are compiled anew
 * then, always in one order, on which the layouts of the weights and so the last bits of the results depend.
 */
export class Programs {
  /** Digests of the kernels of the parts begun. */
  readonly kernels: string[] = []
  /** What is validated and kept: the model, or the average of its weights. */
  readonly kept: Model<'logits', string>
  private readonly average: AverageModel | null
  private current: { readonly step: TrainingStep; readonly validator: Validator | null } | null = null

  constructor(private readonly options: ProgramsOptions) {
    const { model, step } = options
    this.average = step.average === undefined ? null : new AverageModel(model)
    this.kept = this.average?.model ?? model
  }

  get step(): TrainingStep {
    return this.current!.step
  }

  get validator(): Validator | null {
    return this.current!.validator
  }

  /** Begins the next part of the training; the optimizer keeps its state of what learnt before. */
  async next(): Promise<void> {
    const { model, device, step: training, precision, freezes, validator, validates } = this.options
    const before = this.current?.step
    const carried = await before?.state()
    const counters = { updates: before?.updates ?? 0, batches: before?.batches ?? 0 }
    this.dispose()
    const { batch, preprocessing } = validator
    const step = await model.compile(device, {
      batch,
      size: inputSide(preprocessing),
      precision,
      training: { ...training, freeze: freezes[this.kernels.length] },
    })
    this.current = { step, validator: null }
    this.kernels.push(kernelsDigest(step.describe()))
    if (carried) await carry(step, carried, counters)
    if (!validates) return
    await this.refresh()
    this.current = {
      step,
      validator: await Validator.compile(this.kept, device, { ...validator, precision }),
    }
  }

  /** Brings {@link kept} up to date. */
  async refresh(): Promise<void> {
    await this.average?.update(this.step)
  }

  dispose(): void {
    this.current?.step.dispose()
    this.current?.validator?.dispose()
    this.current = null
  }
}

async function carry(
  step: TrainingStep,
  carried: ReadonlyMap<string, Tensor>,
  counters: { readonly updates: number; readonly batches: number },
): Promise<void> {
  const state = await step.state()
  for (const name of state.keys()) {
    const value = carried.get(name)
    if (value) state.set(name, value)
  }
  await step.restore(state, counters)
}
