import type { Graph, Value } from '../graph/graph.js'

/** What the store keeps the scale and the count of finite updates as, so that a training goes on with them. */
export const LOSS_SCALE = 'lossScale/state'

/** The scale of the first step, and no finite updates yet. */
export const LOSS_SCALE_START: readonly number[] = [2 ** 16, 0]

/** Finite updates in a row after which the scale is doubled. */
const INTERVAL = 2000

/**
 * Dynamic loss scaling (Micikevicius et al. 2018, section 3.2), with the constants of PyTorch's `GradScaler`: f16
 * rounds gradients below 6e-8 to zero, so all of them are computed as multiples. The device itself changes the scale,
 * so that no step waits for the host.
 */
export class LossScaling {
  private readonly state: Value

  constructor(private readonly graph: Graph) {
    this.state = graph.parameter({ name: LOSS_SCALE, shape: [2] })
  }

  /** The gradients of outputs, multiplied by the scale. */
  scale(gradients: ReadonlyMap<Value, Value>): Map<Value, Value> {
    this.graph.phase = 'backward'
    return new Map(
      [...gradients].map(([output, gradient]) => [
        output,
        this.graph.add('scaleGradient', [gradient, this.state], {}, [gradient])[0]!,
      ]),
    )
  }

  /** Scalars of an update that take the scale out of its gradients, and the norm without it. */
  unscale(scalars: Value, norm: Value): { readonly scalars: Value; readonly norm: Value } {
    const operands = [scalars, norm, this.state]
    const [unscaled, plainNorm] = this.graph.add(
      'unscaleGradients',
      operands,
      { interval: INTERVAL },
      operands,
    )
    return { scalars: unscaled!, norm: plainNorm! }
  }
}
