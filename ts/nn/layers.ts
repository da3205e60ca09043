import type { Value } from '../graph/graph.js'
import {
  averagePool,
  batchNorm,
  convolution,
  dropout as dropoutOp,
  linear as linearOp,
  maxPool,
  type AveragePoolingOptions,
  type Padding2d,
  type PoolingOptions,
  type Size2d,
} from '../graph/ops/index.js'
import { toPair } from '../graph/ops/geometry.js'
import { InvalidArgumentError } from '../errors.js'
import { constant, fanInUniform, he, type Initializer } from './initializers.js'
import { Module, Parameter } from './module.js'

export interface Conv2dOptions {
  /** Height and width of the kernel. Default 3. */
  readonly kernel?: Size2d
  /** Default 1. */
  readonly stride?: Size2d
  /** Default 0. */
  readonly padding?: Padding2d
  /** Default 1, which is dense. */
  readonly dilation?: Size2d
  /** Default 1. */
  readonly groups?: number
  /** Default true. */
  readonly bias?: boolean
  /** Default: He et al. 2015, fan out. */
  readonly initializer?: Initializer
  /** Default: zeros. */
  readonly biasInitializer?: Initializer
}

/** Convolution with a `weight` `[Out, In / groups, kh, kw]` and a `bias` `[Out]`. */
export class Conv2d<In extends number = number, Out extends number = number> extends Module<In, Out> {
  readonly weight: Parameter
  readonly bias: Parameter | null

  constructor(
    input: In,
    output: Out,
    private readonly options: Conv2dOptions,
  ) {
    super()
    const { kernel = 3, groups = 1, bias = true, initializer = he(), biasInitializer = constant(0) } = options
    if (input % groups !== 0 || output % groups !== 0)
      throw new InvalidArgumentError(`groups ${groups} must divide the channels ${input} and ${output}`, {
        subject: 'groups',
      })
    this.weight = new Parameter([output, input / groups, ...toPair(kernel)], 'convolution', initializer)
    this.bias = bias ? new Parameter([output], 'bias', biasInitializer) : null
  }

  override forward(x: Value<In>): Value<Out> {
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = this.options
    return convolution(x, x.graph.parameter(this.weight), {
      bias: this.bias && x.graph.parameter(this.bias),
      stride,
      padding,
      dilation,
      groups,
    }) as Value<Out>
  }
}

/** A {@link Conv2d} from `input` to `output` channels. */
export function conv2d<const In extends number, const Out extends number>(
  input: In,
  output: Out,
  options: Conv2dOptions = {},
): Conv2d<In, Out> {
  return new Conv2d(input, output, options)
}

export interface BatchNorm2dOptions {
  /** Default 1e-5. */
  readonly eps?: number
  /** Weight of the new batch in the running statistics. Default 0.1. */
  readonly momentum?: number
  /** Starting value of the scale. Default 1. */
  readonly weight?: number
}

/** Batch normalisation (Ioffe and Szegedy 2015) with PyTorch's parameter names. */
export class BatchNorm2d<C extends number = number> extends Module<C, C> {
  readonly weight: Parameter
  readonly bias: Parameter
  readonly running_mean: Parameter
  readonly running_var: Parameter
  readonly num_batches_tracked: Parameter
  readonly eps: number
  readonly momentum: number

  constructor(channels: C, { eps = 1e-5, momentum = 0.1, weight = 1 }: BatchNorm2dOptions) {
    super()
    this.eps = eps
    this.momentum = momentum
    this.weight = new Parameter([channels], 'normWeight', constant(weight))
    this.bias = new Parameter([channels], 'normBias', constant(0))
    this.running_mean = new Parameter([channels], 'runningMean', constant(0))
    this.running_var = new Parameter([channels], 'runningVariance', constant(1))
    this.num_batches_tracked = new Parameter([], 'counter', constant(0))
  }

  override forward(x: Value<C>): Value<C> {
    return batchNorm(x, {
      gamma: x.graph.parameter(this.weight),
      beta: x.graph.parameter(this.bias),
      mean: x.graph.parameter(this.running_mean),
      variance: x.graph.parameter(this.running_var),
      eps: this.eps,
      momentum: this.momentum,
    })
  }
}

/** A {@link BatchNorm2d} over `channels`. */
export function batchNorm2d<const C extends number>(
  channels: C,
  options: BatchNorm2dOptions = {},
): BatchNorm2d<C> {
  return new BatchNorm2d(channels, options)
}

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean
  /** Default: U(-1/sqrt(In), 1/sqrt(In)). */
  readonly initializer?: Initializer
  /** Default: zeros. */
  readonly biasInitializer?: Initializer
}

/** Fully connected layer with a `weight` `[Out, In]` and a `bias` `[Out]`. */
export class Linear<In extends number = number, Out extends number = number> extends Module<In, Out> {
  readonly weight: Parameter
  readonly bias: Parameter | null

  constructor(input: In, output: Out, options: LinearOptions) {
    super()
    const { bias = true, initializer = fanInUniform, biasInitializer = constant(0) } = options
    this.weight = new Parameter([output, input], 'linear', initializer)
    this.bias = bias ? new Parameter([output], 'bias', biasInitializer) : null
  }

  override forward(x: Value<In>): Value<Out> {
    const bias = this.bias && x.graph.parameter(this.bias)
    return linearOp(x, x.graph.parameter(this.weight), bias) as Value<Out>
  }
}

/** A {@link Linear} layer from `input` to `output` features. */
export function linear<const In extends number, const Out extends number>(
  input: In,
  output: Out,
  options: LinearOptions = {},
): Linear<In, Out> {
  return new Linear(input, output, options)
}

/** Randomly zeroes elements in training (Srivastava et al. 2014); does nothing at inference. */
export class Dropout<C extends number = number> extends Module<C, C> {
  constructor(readonly p: number) {
    super()
    if (!(p >= 0 && p < 1))
      throw new InvalidArgumentError(`dropout probability must be in [0, 1), got ${p}`, { subject: 'p' })
  }

  override forward(x: Value<C>): Value<C> {
    return dropoutOp(x, this.p)
  }
}

/** A {@link Dropout} layer. */
export function dropout(p = 0.5): Dropout {
  return new Dropout(p)
}

/** Pooling with a path of its own; it keeps the channels. */
export class Pool2d extends Module {
  constructor(private readonly pool: (x: Value) => Value) {
    super()
  }

  override forward<C extends number>(x: Value<C>): Value<C> {
    return this.pool(x) as Value<C>
  }
}

/** Max pooling as a layer. */
export function maxPool2d(options: PoolingOptions): Pool2d {
  return new Pool2d((x) => maxPool(x, options))
}

/** Average pooling as a layer. */
export function averagePool2d(options: AveragePoolingOptions): Pool2d {
  return new Pool2d((x) => averagePool(x, options))
}
