import { averagePool, globalAveragePool, maxPool } from '../../../nn/index.js'
import type { Features } from '../features.js'
import { expectImage, type Builder, type LayerSource } from './layer.js'
import { edgesFor, paddingOf } from './padding.js'

export const maxPooling2d: Builder = (source, input) => {
  const window = windowOf(source, input)
  return { apply: (x) => x.with(maxPool(x.value, window(x))) }
}

export const averagePooling2d: Builder = (source, input) => {
  const window = windowOf(source, input)
  // TensorFlow divides by the number of pixels that are inside the image.
  return { apply: (x) => x.with(averagePool(x.value, { ...window(x), countPadding: false })) }
}

export const globalAveragePooling2d: Builder = (source, input) => {
  expectImage(source, input)
  const keep = source.config.flag('keepdims', false)
  return { apply: (x) => pooled(x.with(globalAveragePool(x.value)), keep) }
}

export const globalMaxPooling2d: Builder = (source, input) => {
  expectImage(source, input)
  const keep = source.config.flag('keepdims', false)
  return {
    apply: (x) => {
      const [, , height, width] = x.value.shape as readonly [number, number, number, number]
      return pooled(x.with(maxPool(x.value, { kernel: [height, width] })), keep)
    },
  }
}

function pooled(x: Features, keep: boolean): Features {
  return keep ? x : x.flat()
}

function windowOf(source: LayerSource, input: Features) {
  expectImage(source, input)
  const { config } = source
  const kernel = config.pair('pool_size', [2, 2])
  const stride = config.pair('strides', kernel)
  const mode = paddingOf(config)
  return (x: Features) => ({ kernel, stride, padding: edgesFor(mode, x.logits, kernel, stride) })
}
