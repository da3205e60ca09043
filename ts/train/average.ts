import { Model } from '../model/model.js'
import type { TrainingStep } from '../model/step.js'

/** A second model of the same network, whose weights are the moving average of those that learn. */
export class AverageModel {
  readonly model: Model<'logits', string>

  constructor(private readonly learning: Model<'logits', string>) {
    this.model = new Model(learning.network, learning.info)
  }

  /** Takes over the averages; what has none, such as running statistics and frozen weights, as it is. */
  async update(step: TrainingStep): Promise<void> {
    const averages = await step.averages()
    const { parameters, weights } = this.model
    const learning = this.learning.weights
    for (const { name, role } of parameters)
      if (role === 'counter') weights.setCounter(name, learning.counter(name))
      else await weights.set(name, averages.get(name) ?? (await learning.get(name)))
  }
}
