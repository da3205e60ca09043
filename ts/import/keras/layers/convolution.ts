import type { Value } from '../../../graph/graph.js'
import type { Pair } from '../../../graph/schema.js'
import type { CheckpointTensor } from '../../../io/checkpoint.js'
import { convolution, initializers, Module, Parameter } from '../../../nn/index.js'
import type { Shape } from '../../../tensor.js'
import { convolutionKernel, depthwiseKernel } from '../layout.js'
import { activationOf, expectImage, type Builder, type LayerSource } from './layer.js'
import { edgesFor, paddingOf, type PaddingMode } from './padding.js'

interface Geometry {
  readonly padding: PaddingMode
  readonly stride: Pair
  readonly dilation: Pair
  readonly groups: number
}

/** A convolution whose padding may depend on the image. */
export class KerasConvolution extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | null

  constructor(
    shape: Shape,
    bias: boolean,
    private readonly geometry: Geometry,
  ) {
    super()
    this.weight = new Parameter(shape, 'convolution', initializers.he())
    this.bias = bias ? new Parameter([shape[0]!], 'bias', initializers.constant(0)) : null
  }

  override forward(x: Value): Value {
    const { padding: mode, stride, dilation, groups } = this.geometry
    const [, , height, width] = this.weight.shape as readonly [number, number, number, number]
    const padding = edgesFor(mode, x, [height, width], stride, dilation)
    const bias = this.bias && x.graph.parameter(this.bias)
    return convolution(x, x.graph.parameter(this.weight), { bias, stride, padding, dilation, groups })
  }
}

/** The module of a kernel and perhaps a bias, with the values of both. */
export function convolutionOf(kernel: CheckpointTensor, bias: CheckpointTensor | null, geometry: Geometry) {
  const module = new KerasConvolution(kernel.shape, bias !== null, geometry)
  const values = new Map([[module.weight, kernel]])
  if (bias && module.bias) values.set(module.bias, bias)
  return { module, values }
}

export const POINTWISE: Geometry = { padding: 'valid', stride: [1, 1], dilation: [1, 1], groups: 1 }

export const conv2d: Builder = (source, input) => {
  expectImage(source, input)
  const { config, weights } = source
  const groups = config.size('groups', 1)
  const filters = config.size('filters')
  const channels = input.logits.channels
  if (channels % groups !== 0 || filters % groups !== 0)
    throw config.wrong('groups', `a divisor of ${channels} and ${filters}`)
  const kernel = weights.take('kernel', [...config.pair('kernel_size'), channels / groups, filters])
  const geometry = { ...geometryOf(source), groups }
  const built = convolutionOf(convolutionKernel(kernel), biasOf(source, filters), geometry)
  const activation = activationOf(config)
  return { ...built, apply: (x) => x.with(built.module.call(x.value)).activate(activation) }
}

export const depthwiseConv2d: Builder = (source, input) => {
  const { kernel, channels, geometry } = depthwise(source, input)
  const built = convolutionOf(kernel, biasOf(source, kernel.shape[0]!), { ...geometry, groups: channels })
  const activation = activationOf(source.config)
  return { ...built, apply: (x) => x.with(built.module.call(x.value)).activate(activation) }
}

/** A convolution a channel, then one across channels. */
class Separable extends Module {
  constructor(
    readonly depthwise: KerasConvolution,
    readonly pointwise: KerasConvolution,
  ) {
    super()
  }

  override forward(x: Value): Value {
    return x.pipe(this.depthwise, this.pointwise)
  }
}

export const separableConv2d: Builder = (source, input) => {
  const { config, weights } = source
  const { kernel, channels, geometry } = depthwise(source, input)
  const filters = config.size('filters')
  const across = weights.take('pointwise_kernel', [1, 1, kernel.shape[0]!, filters])
  const first = convolutionOf(kernel, null, { ...geometry, groups: channels })
  const second = convolutionOf(convolutionKernel(across), biasOf(source, filters), POINTWISE)
  const module = new Separable(first.module, second.module)
  const activation = activationOf(config)
  return {
    module,
    values: new Map([...first.values, ...second.values]),
    apply: (x) => x.with(module.call(x.value)).activate(activation),
  }
}

function depthwise(source: LayerSource, input: Parameters<Builder>[1]) {
  expectImage(source, input)
  const { config, weights } = source
  const channels = input.logits.channels
  const shape = [...config.pair('kernel_size'), channels, config.size('depth_multiplier', 1)]
  return {
    kernel: depthwiseKernel(weights.take('depthwise_kernel', shape, 'kernel')),
    channels,
    geometry: geometryOf(source),
  }
}

function geometryOf({ config }: LayerSource) {
  return {
    padding: paddingOf(config),
    stride: config.pair('strides', [1, 1]),
    dilation: config.pair('dilation_rate', [1, 1]),
  }
}

function biasOf({ config, weights }: LayerSource, size: number): CheckpointTensor | null {
  return config.flag('use_bias', true) ? weights.take('bias', [size]) : null
}
