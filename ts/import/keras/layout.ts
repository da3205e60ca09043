import type { CheckpointTensor } from '../../io/checkpoint.js'
import type { Shape } from '../../tensor.js'
import type { Order } from './features.js'

/** `[height, width, in, out]` to `[out, in, height, width]`. */
export function convolutionKernel(kernel: CheckpointTensor): CheckpointTensor {
  const [height, width, input, output] = kernel.shape as readonly [number, number, number, number]
  return changed(kernel, [output, input, height, width], (data) =>
    outputsFirst(data, height * width, input, output),
  )
}

/** `[height, width, in, multiplier]` to `[in * multiplier, 1, height, width]`. */
export function depthwiseKernel(kernel: CheckpointTensor): CheckpointTensor {
  const [height, width, input, multiplier] = kernel.shape as readonly [number, number, number, number]
  const output = input * multiplier
  return changed(kernel, [output, 1, height, width], (data) => outputsFirst(data, height * width, 1, output))
}

/** `[in, out]` to `[out, in]`; `order` says which input stands where. */
export function denseKernel(kernel: CheckpointTensor, order: Order = null): CheckpointTensor {
  const [input, output] = kernel.shape as readonly [number, number]
  return changed(kernel, [output, input], (data) => {
    if (!order) return outputsFirst(data, 1, input, output)
    const result = new Float32Array(data.length)
    order.forEach((from, to) => {
      for (let o = 0; o < output; o++) result[o * input + to] = data[from * output + o]!
    })
    return result
  })
}

/** `[in, out]` as a convolution of one pixel. */
export function pixelKernel(kernel: CheckpointTensor): CheckpointTensor {
  const [input, output] = kernel.shape as readonly [number, number]
  return changed(kernel, [output, input, 1, 1], (data) => outputsFirst(data, 1, input, output))
}

/** A value for each feature. */
export function vector(values: CheckpointTensor, order: Order = null): CheckpointTensor {
  return order
    ? changed(values, values.shape, (data) => Float32Array.from(order, (from) => data[from]!))
    : values
}

/** A tensor that is in no file. */
export function filled(name: string, size: number, value: number): CheckpointTensor {
  return {
    name,
    shape: [size],
    dtype: 'f32',
    read: () => Promise.resolve(new Float32Array(size).fill(value)),
    readInt64: () => Promise.resolve(new BigInt64Array(size).fill(BigInt(value))),
  }
}

/** A tensor whose elements are put into another order when they are read. */
function changed(
  tensor: CheckpointTensor,
  shape: Shape,
  change: (data: Float32Array) => Float32Array,
): CheckpointTensor {
  const { name, dtype } = tensor
  return {
    name,
    shape,
    dtype,
    read: async () => change(await tensor.read()),
    readInt64: () => tensor.readInt64(),
  }
}

/** `[pixels, input, output]` to `[output, input, pixels]`. */
function outputsFirst(data: Float32Array, pixels: number, input: number, output: number): Float32Array {
  const result = new Float32Array(data.length)
  let from = 0
  for (let p = 0; p < pixels; p++)
    for (let i = 0; i < input; i++)
      for (let o = 0; o < output; o++) result[(o * input + i) * pixels + p] = data[from++]!
  return result
}
