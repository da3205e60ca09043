import { readFileSync } from 'node:fs'
import { tensor, type Tensor } from '../../ts/tensor.js'

/** What Keras or TensorFlow.js computed for one of the networks of `test/data/keras`. */
export interface KerasExpectation {
  /** Shape of the images, as Keras counts. */
  readonly input: readonly number[]
  readonly logits: readonly (readonly number[])[]
  readonly output: readonly (readonly number[])[]
}

/** Folder of a network that `test/data/keras/generate.py` or `generate.mjs` made. */
export function kerasFolder(name: string): string {
  return new URL(`../data/keras/${name}/`, import.meta.url).pathname
}

export function kerasExpectation(name: string): KerasExpectation {
  return JSON.parse(readFileSync(`${kerasFolder(name)}expected.json`, 'utf8')) as KerasExpectation
}

/** The images of the generators, `[N, C, H, W]`. */
export function kerasImages([n, height, width, channels = 1]: readonly number[]): Tensor {
  const shape = [n!, channels, height!, width!]
  const data = new Float32Array(n! * channels * height! * width!)
  for (let i = 0; i < data.length; i++) {
    const channel = i % channels
    const pixel = Math.floor(i / channels)
    const image = Math.floor(pixel / (height! * width!))
    const to = (image * channels + channel) * height! * width! + (pixel % (height! * width!))
    data[to] = ((i * 37) % 101) / 50 - 1
  }
  return tensor(data, shape)
}
