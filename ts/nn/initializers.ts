import type { Shape } from '../tensor.js'
import { elementCount } from '../tensor.js'
import type { RandomStream } from '../random.js'

/** Fills an array with starting values. */
export type Initializer = (data: Float32Array, shape: Shape, random: RandomStream) => void

/** Every element the same. */
export function constant(value: number): Initializer {
  return (data) => data.fill(value)
}

/** N(0, deviation), as AlexNet's weights (Krizhevsky et al. 2012, section 5: 0.01). */
export function gaussian(deviation: number): Initializer {
  return (data, _shape, random) => random.fillNormal(data, deviation)
}

/** U(-bound, bound). */
export function uniform(bound: number): Initializer {
  return (data, _shape, random) => {
    for (let i = 0; i < data.length; i++) data[i] = bound * (2 * random.uniform() - 1)
  }
}

/** N(0, sqrt(2 / fan)) (He et al. 2015, "Delving Deep into Rectifiers", equation 10). */
export function he(mode: 'fanIn' | 'fanOut' = 'fanOut'): Initializer {
  return (data, shape, random) => {
    const fan = fans(shape)[mode]
    gaussian(Math.sqrt(2 / fan))(data, shape, random)
  }
}

/** U(-1 / sqrt(fanIn), 1 / sqrt(fanIn)): what PyTorch gives layers that nobody initialises. */
export const fanInUniform: Initializer = (data, shape, random) =>
  uniform(1 / Math.sqrt(fans(shape).fanIn))(data, shape, random)

/** U(-2.4 / fanIn, 2.4 / fanIn) (LeCun et al. 1998, appendix A). */
export const lecun: Initializer = (data, shape, random) =>
  uniform(2.4 / fans(shape).fanIn)(data, shape, random)

/** U(-sqrt(3 / fanIn), sqrt(3 / fanIn)), of variance 1 / fanIn: Caffe's reading of Glorot and Bengio 2010. */
export const xavier: Initializer = (data, shape, random) =>
  uniform(Math.sqrt(3 / fans(shape).fanIn))(data, shape, random)

/** N(0, deviation) with values beyond two deviations drawn again. */
export function truncatedNormal(deviation: number): Initializer {
  return (data, _shape, random) => {
    for (let i = 0; i < data.length; i++) {
      let value: number
      do value = random.normal()
      while (Math.abs(value) > 2)
      data[i] = deviation * value
    }
  }
}

function fans(shape: Shape): { fanIn: number; fanOut: number } {
  const window = elementCount(shape.slice(2))
  return { fanIn: elementCount(shape.slice(1)), fanOut: shape[0]! * window }
}
