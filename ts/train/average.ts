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
    for (const { name, role } of this.model.parameters)
      if (role !== 'counter')
        await this.model.weights.set(name, averages.get(name) ?? (await this.learning.weights.get(name)))
  }
}
