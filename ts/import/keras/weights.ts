import { CheckpointError } from '../../errors.js'
import type { Checkpoint, CheckpointTensor } from '../../io/checkpoint.js'
import { formatShape, sameShape, type Shape } from '../../tensor.js'

/** The tensors of a file by layer, and which of them some layer has taken. */
export class KerasWeights {
  private readonly taken = new Set<string>()

  constructor(private readonly file: Checkpoint) {}

  /** The weights of one layer; `models` are the names of the models around it, outermost first. */
  of(models: readonly string[], layer: string): LayerWeights {
    return {
      take: (variable, shape, otherwise) => {
        const tensor =
          this.find(models, layer, variable) ??
          (otherwise === undefined ? null : this.find(models, layer, otherwise))
        if (!tensor)
          throw this.mismatch(
            `layer "${layer}" has no ${variable}`,
            `${layer}/${variable}`,
            formatShape(shape),
          )
        if (!sameShape(tensor.shape, shape))
          throw this.mismatch(
            `"${tensor.name}" does not fit its layer`,
            tensor.name,
            formatShape(shape),
            tensor.shape,
          )
        this.taken.add(tensor.name)
        return tensor
      },
    }
  }

  /** @throws CheckpointError when the file has weights that no layer has taken: the network would be another one */
  refuseLeftovers(): void {
    const left = [...this.file.tensors.keys()].filter(
      (name) => !this.taken.has(name) && !name.endsWith('/seed_generator_state'),
    )
    if (left.length > 0)
      throw this.mismatch(
        `${left.length} weights belong to no layer: ${left.slice(0, 8).join(', ')}`,
        left[0]!,
      )
  }

  /** Keras writes `layer/variable`, sometimes behind the names of the models around the layer. */
  private find(models: readonly string[], layer: string, variable: string): CheckpointTensor | null {
    const { tensors } = this.file
    const own = `${layer}/${variable}`
    const exact = tensors.get([...models, own].join('/')) ?? tensors.get(own)
    if (exact) return exact
    const candidates = [...tensors.values()].filter(({ name }) => name.endsWith(`/${own}`))
    if (candidates.length > 1)
      throw this.mismatch(`several weights could be the ${variable} of layer "${layer}"`, candidates[0]!.name)
    return candidates[0] ?? null
  }

  private mismatch(problem: string, subject: string, expected?: string, got?: Shape): CheckpointError {
    const wanted = expected === undefined ? '' : `: expected ${expected}`
    const found = got === undefined ? '' : `, got ${formatShape(got)}`
    return new CheckpointError('CHECKPOINT_MISMATCH', `${this.file.path}: ${problem}${wanted}${found}`, {
      subject,
      ...(expected === undefined ? {} : { expected }),
      ...(got === undefined ? {} : { got: formatShape(got) }),
    })
  }
}

export interface LayerWeights {
  /**
   * One of the layer's tensors; `otherwise` is the name that it has in other versions of Keras.
   * @throws CheckpointError when it is missing or has another shape
   */
  take(variable: string, shape: Shape, otherwise?: string): CheckpointTensor
}
