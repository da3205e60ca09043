import type { CheckpointTensor } from '../../../io/checkpoint.js'
import { BatchNorm2d, linear, type Parameter } from '../../../nn/index.js'
import { Features, sameOrder } from '../features.js'
import { denseKernel, filled, pixelKernel, vector } from '../layout.js'
import type { Config } from '../config.js'
import { convolutionOf, POINTWISE } from './convolution.js'
import { activationOf, expectChannelAxis, type Builder } from './layer.js'

/** On an image Keras applies it to each pixel. */
export const dense: Builder = ({ config, weights }, input) => {
  const inputs = input.logits.channels
  const units = config.size('units')
  const kernel = weights.take('kernel', [inputs, units])
  const bias = config.flag('use_bias', true) ? weights.take('bias', [units]) : null
  const activation = activationOf(config)
  if (input.isImage) {
    const built = convolutionOf(pixelKernel(kernel), bias, POINTWISE)
    return { ...built, apply: (x) => x.with(built.module.call(x.value)).activate(activation) }
  }
  const { order } = input
  const module = linear(inputs, units, { bias: bias !== null })
  const values = new Map([[module.weight, denseKernel(kernel, order)]])
  if (bias && module.bias) values.set(module.bias, bias)
  return {
    module,
    values,
    apply: (x) => {
      expectOrder(config, x, input)
      return new Features(module.call(x.value)).activate(activation)
    },
  }
}

export const batchNormalization: Builder = (source, input) => {
  expectChannelAxis(source, input)
  const { config, weights } = source
  const { order } = input
  const size = input.logits.channels
  const take = (variable: string) => vector(weights.take(variable, [size]), order)
  const module = new BatchNorm2d(size, {
    eps: config.number('epsilon', 1e-3),
    // Keras counts the share of the old statistics.
    momentum: 1 - config.number('momentum', 0.99),
  })
  const values = new Map<Parameter, CheckpointTensor>([
    [module.weight, config.flag('scale', true) ? take('gamma') : filled('gamma', size, 1)],
    [module.bias, config.flag('center', true) ? take('beta') : filled('beta', size, 0)],
    [module.running_mean, take('moving_mean')],
    [module.running_var, take('moving_variance')],
  ])
  return {
    module,
    values,
    apply: (x) => {
      expectOrder(config, x, input)
      return x.with(module.call(x.value))
    },
  }
}

/** The weights of a layer that is used twice have one order. */
function expectOrder(config: Config, x: Features, first: Features): void {
  if (!sameOrder(x.order, first.order))
    throw config.unsupported('uses whose inputs are flattened differently')
}
