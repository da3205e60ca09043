import type { Optimizer } from '../model/step.js'

interface Common {
  /** Learning rate. */
  readonly lr: number
  /** Default 0. */
  readonly weightDecay?: number
}

export interface SgdOptions extends Common {
  /** Default 0. */
  readonly momentum?: number
  /** Default false. */
  readonly nesterov?: boolean
}

/**
 * Stochastic gradient descent with momentum, in PyTorch's convention: the rate multiplies the velocity, weight
 * decay is added to the gradient.
 */
export function sgd({ lr, momentum = 0, weightDecay = 0, nesterov = false }: SgdOptions): Optimizer {
  return {
    lr,
    weightDecay,
    state: momentum === 0 ? [] : ['velocity'],
    record(graph, { parameter, gradient, scalars, norm, state }, settings) {
      graph.add(
        'sgd',
        [parameter, gradient, scalars, norm, state[0] ?? null],
        { ...settings, momentum, nesterov },
        [parameter, ...state],
      )
    },
  }
}

export interface RmsPropOptions extends Common {
  /** Decay of the mean square. Default 0.9. */
  readonly decay?: number
  /** Default 1e-8. */
  readonly eps?: number
  /** Default 0. */
  readonly momentum?: number
  /**
   * `pytorch`: g / (sqrt(s) + eps), the rate multiplies the velocity. `tensorflow`: g / sqrt(s + eps), the rate
   * is inside the velocity, the mean square starts at 1; Inception v3 was trained so. Default `pytorch`.
   */
  readonly convention?: 'pytorch' | 'tensorflow'
}

/** RMSprop (Tieleman and Hinton 2012, lecture 6.5). */
export function rmsProp(options: RmsPropOptions): Optimizer {
  const { lr, weightDecay = 0, decay = 0.9, eps = 1e-8, momentum = 0, convention = 'pytorch' } = options
  const attributes = { decay, eps, momentum, epsInsideRoot: convention === 'tensorflow' }
  return {
    lr,
    weightDecay,
    state: momentum === 0 ? ['square'] : ['square', 'velocity'],
    starts: convention === 'tensorflow' ? { square: 1 } : {},
    record(graph, { parameter, gradient, scalars, norm, state }, settings) {
      const [square, velocity = null] = state
      graph.add(
        'rmsProp',
        [parameter, gradient, scalars, norm, square!, velocity],
        { ...settings, ...attributes },
        [parameter, ...state],
      )
    },
  }
}

export interface AdamOptions extends Common {
  /** Default 0.9. */
  readonly beta1?: number
  /** Default 0.999. */
  readonly beta2?: number
  /** Default 1e-8. */
  readonly eps?: number
}

/** Adam (Kingma and Ba 2014); weight decay is added to the gradient. */
export function adam(options: AdamOptions): Optimizer {
  return adaptive(options, false)
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2017): `lr * weightDecay * parameter` is subtracted. */
export function adamW(options: AdamOptions): Optimizer {
  return adaptive({ weightDecay: 0.01, ...options }, true)
}

function adaptive(options: AdamOptions, decoupled: boolean): Optimizer {
  const { lr, weightDecay = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8 } = options
  return {
    lr,
    weightDecay,
    state: ['mean', 'square'],
    corrections: (step) => [1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step)],
    record(graph, { parameter, gradient, scalars, norm, state }, settings) {
      graph.add(
        'adam',
        [parameter, gradient, scalars, norm, ...state],
        { ...settings, beta1, beta2, eps, decoupled },
        [parameter, ...state],
      )
    },
  }
}
