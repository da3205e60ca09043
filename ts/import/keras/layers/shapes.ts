import { elementCount } from '../../../tensor.js'
import { pad } from '../../../nn/index.js'
import { expectImage, type Builder } from './layer.js'

export const flatten: Builder = ({ config }, input) => {
  config.only('data_format', 'channels_last')
  return { fixesSize: input.pixels > 1, apply: (x) => x.flat() }
}

export const reshape: Builder = ({ config }, input) => {
  const target = config.get('target_shape')
  const isList = Array.isArray(target) && target.every((size) => Number.isSafeInteger(size))
  if (!isList || target.length === 0) throw config.wrong('target_shape', 'a list of integers')
  const count = elementCount(input.logits.shape.slice(1))
  const shape = inferred(target as number[], count)
  if (elementCount(shape) !== count) throw config.wrong('target_shape', `a shape of ${count} elements`)
  if (shape.length > 3)
    throw config.unsupported(`target_shape [${target.join(', ')}]`, 'an image or flat features')
  // Without its channels an image has one.
  const [height, width, channels = 1] = shape
  return {
    fixesSize: input.pixels > 1,
    apply: (x) => {
      const result = shape.length === 1 ? x.flat() : x.image(height!, width!, channels)
      if (!result)
        throw config.unsupported(`target_shape [${target.join(', ')}], which moves features between channels`)
      return result
    },
  }
}

/** A shape with its one -1 replaced by what is left. */
function inferred(shape: readonly number[], count: number): number[] {
  const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1)
  const at = shape.indexOf(-1)
  return shape.map((size, i) => (i === at ? count / known : size))
}

export const zeroPadding2d: Builder = (source, input) => {
  expectImage(source, input)
  const edges = source.config.edges('padding')
  return { apply: (x) => x.with(pad(x.value, edges)) }
}
