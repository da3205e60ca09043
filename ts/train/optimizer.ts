import type { Graph, Value } from '../graph/graph.js'

/** An optimizer: records the update of one parameter, and names the state that it keeps beside it. */
export interface Optimizer {
  /** Learning rate of the first step. */
  readonly lr: number
  /** Names of the arrays, of the parameter's shape and zero at first, that it keeps for each parameter. */
  readonly state: readonly string[]
  record(
    graph: Graph,
    update: { parameter: Value; gradient: Value; state: readonly Value[]; scalars: Value },
  ): void
}

export interface SgdOptions {
  /** Learning rate. */
  readonly lr: number
  /** Default 0. */
  readonly momentum?: number
  /** Added to the gradient as `weightDecay * parameter`. Default 0. */
  readonly weightDecay?: number
  /** Default false. */
  readonly nesterov?: boolean
}

/** Stochastic gradient descent with momentum, in PyTorch's convention: the rate multiplies the velocity. */
export function sgd({ lr, momentum = 0, weightDecay = 0, nesterov = false }: SgdOptions): Optimizer {
  return {
    lr,
    state: momentum === 0 ? [] : ['velocity'],
    record(graph, { parameter, gradient, state, scalars }) {
      graph.add(
        'sgd',
        [parameter, gradient, state[0] ?? null, scalars],
        { momentum, weightDecay, nesterov },
        [parameter, ...state],
      )
    },
  }
}
