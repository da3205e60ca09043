import type { Value } from '../graph/graph.js'
import type { Loss } from '../model/step.js'

const SCALAR = { shape: [1], dtype: 'f32' } as const

export interface CrossEntropyOptions {
  /** Share of the target spread evenly over all classes (Szegedy et al. 2015, section 7). Default 0. */
  readonly labelSmoothing?: number
  /** Weight of the loss of each auxiliary head (GoogLeNet 0.3, Inception v3 0.4). Default 0.3. */
  readonly auxiliaryWeight?: number
  /** Whether labels are distributions over classes, as mixup gives them. Default false. */
  readonly soft?: boolean
}

/** Cross-entropy of the softmax of `logits`, the mean over the batch, plus that of auxiliary heads. */
export function crossEntropy(options: CrossEntropyOptions = {}): Loss {
  const { labelSmoothing = 0, auxiliaryWeight = 0.3, soft = false } = options
  return {
    labels: soft ? 'arrays' : 'classes',
    record: (outputs, labels) =>
      summed(outputs, (output, name) => {
        const weight = name === 'logits' ? 1 : auxiliaryWeight
        return output.graph.add('softmaxCrossEntropy', [output, labels], { labelSmoothing, weight }, [
          SCALAR,
          output,
        ])
      }),
  }
}

/** Mean squared error of `logits` and an array of their shape, over all elements. */
export function meanSquaredError(): Loss {
  return {
    labels: 'arrays',
    record: (outputs, labels) =>
      summed(outputs, (output) =>
        output.graph.add('meanSquaredError', [output, labels], { weight: 1 }, [SCALAR, output]),
      ),
  }
}

export interface RadialBasisLossOptions {
  /** The constant j that limits the penalty of classes that are far already. Default 0.1. */
  readonly j?: number
}

/**
 * The maximum a posteriori criterion of LeNet-5 with its radial basis output units (LeCun et al. 1998,
 * equation 9): the distance of the right class, plus log(e^-j + sum of e^-distance).
 */
export function radialBasisLoss({ j = 0.1 }: RadialBasisLossOptions = {}): Loss {
  return {
    labels: 'classes',
    record: (outputs, labels) =>
      summed(outputs, (output) =>
        output.graph.add('radialBasisLoss', [output, labels], { j, weight: 1 }, [SCALAR, output]),
      ),
  }
}

function summed(
  outputs: ReadonlyMap<string, Value>,
  lossOf: (output: Value, name: string) => readonly Value[],
): { loss: Value; gradients: Map<Value, Value> } {
  let loss: Value | null = null
  const gradients = new Map<Value, Value>()
  for (const [name, output] of outputs) {
    const [value, gradient] = lossOf(output, name)
    gradients.set(output, gradient!)
    loss = loss ? output.graph.add('add', [loss, value!], { activation: 'none' }, [SCALAR])[0]! : value!
  }
  return { loss: loss!, gradients }
}
