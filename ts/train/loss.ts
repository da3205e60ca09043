import type { Value } from '../graph/graph.js'

/** A loss: records itself on a network's outputs and says where gradients start. */
export interface Loss {
  /** Adds the loss to the graph. `gradients` holds the gradient of each output that takes part. */
  record(
    outputs: ReadonlyMap<string, Value>,
    labels: Value,
  ): { readonly loss: Value; readonly gradients: ReadonlyMap<Value, Value> }
}

export interface CrossEntropyOptions {
  /** Share of the target spread evenly over all classes (Szegedy et al. 2016, section 7). Default 0. */
  readonly labelSmoothing?: number
}

/** Cross-entropy of the softmax of `logits`, the mean over the batch. */
export function crossEntropy({ labelSmoothing = 0 }: CrossEntropyOptions = {}): Loss {
  return {
    record(outputs, labels) {
      const logits = outputs.get('logits')!
      const [loss, gradient] = logits.graph.add('softmaxCrossEntropy', [logits, labels], { labelSmoothing }, [
        { shape: [1], dtype: 'f32' },
        logits,
      ])
      return { loss: loss!, gradients: new Map([[logits, gradient!]]) }
    },
  }
}
