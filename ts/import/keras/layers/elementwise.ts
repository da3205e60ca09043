import { UnsupportedError } from '../../../errors.js'
import {
  add as sum,
  affine,
  concat,
  dropout as dropoutLayer,
  reshape as reshapeValue,
} from '../../../nn/index.js'
import { ACTIVATIONS, Features, joinOrders, sameOrder } from '../features.js'
import { expectChannelAxis, type Builder } from './layer.js'

export const activation: Builder = ({ config }) => {
  if (!config.has('activation')) throw config.wrong('activation', ACTIVATIONS.join(' or '))
  const word = config.word('activation', ACTIVATIONS, 'linear')
  return { apply: (x) => x.activate(word) }
}

export const relu: Builder = ({ config }) => {
  config.only('negative_slope', 0)
  config.only('threshold', 0)
  if (config.has('max_value'))
    throw config.unsupported(`max_value ${String(config.get('max_value'))}`, 'null')
  return { apply: (x) => x.activate('relu') }
}

export const softmax: Builder = (source, input) => {
  expectChannelAxis(source, input)
  return { apply: (x) => x.activate('softmax') }
}

export const rescaling: Builder = ({ config }) => {
  const scale = config.number('scale', 1)
  const offset = config.number('offset', 0)
  return { apply: (x) => x.with(affine(x.value, scale, offset)) }
}

export const dropout: Builder = ({ config }) => {
  const module = dropoutLayer(config.number('rate', 0))
  return {
    module,
    apply: (x) => (x.logits.graph.mode === 'training' ? x.with(module.call(x.value)) : x),
  }
}

/** A layer that does something in training only, and nothing that we have. */
export const trainingNoise: Builder = ({ className, config }) => ({
  apply: (x) => {
    if (x.logits.graph.mode === 'training')
      throw new UnsupportedError(`layer ${config.layer} is not supported in training`, {
        subject: config.layer,
        got: className,
      })
    return x
  },
})

export const add: Builder = ({ config }) => ({
  apply: (...inputs) =>
    inputs.reduce((a, b) => {
      if (!sameOrder(a.order, b.order)) throw config.unsupported('inputs that are flattened differently')
      return a.with(sum(a.value, b.value))
    }),
})

export const concatenate: Builder = (source, input) => {
  expectChannelAxis(source, input)
  return {
    apply: (...inputs) => {
      if (inputs.every((x) => x.isImage)) return new Features(concat(inputs.map((x) => x.value)))
      if (inputs.some((x) => x.isImage))
        throw source.config.unsupported('both images and flat features as inputs')
      const images = inputs.map((x) => {
        const [n, features] = x.value.shape as readonly [number, number]
        return reshapeValue(x.value, [n, features, 1, 1])
      })
      const joined = concat(images)
      return new Features(reshapeValue(joined, joined.shape.slice(0, 2)), joinOrders(inputs))
    },
  }
}
