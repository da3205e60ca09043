import { afterAll, beforeAll } from 'vitest'
import { createModel, type ModelName } from '../../../models/index.js'
import type { Precision } from '../../../ts/compile/precision.js'
import type { Model } from '../../../ts/model/model.js'
import { Device } from '../../../ts/runtime/device.js'
import { tensor, type Tensor } from '../../../ts/tensor.js'
import { buildSimulator } from '../../cudasim/build.js'
import { fixtureImage, levels, setFixtureWeights } from '../../support/fixture-weights.js'
import { relativeL2 } from '../../support/gradients.js'

// Runs of whole networks on images that are small enough for a simulation, for two devices to be compared.

export interface Small {
  readonly name: ModelName
  /** Height and width of the images. */
  readonly size: number
  /** Of the model, beside ten classes. */
  readonly options?: Readonly<Record<string, unknown>>
}

export interface Devices {
  readonly cpu: Device
  readonly cuda: Device
}

/** The CPU and the simulated GPU, open while a file's tests run. */
export function bothDevices(): Devices {
  const devices = {} as { -readonly [name in keyof Devices]: Device }
  beforeAll(async () => {
    devices.cpu = await Device.open('cpu', { tuning: 'off' })
    const cudaPath = process.env.FOVEA_CUDA_PATH ?? buildSimulator()
    devices.cuda = await Device.open('cuda', { cudaPath, tuning: 'off' })
  }, 600_000)
  afterAll(() => {
    devices.cpu.close()
    devices.cuda.close()
  })
  return devices
}

type AnyModel = Model<'logits', string>

/** The network with the weights that its parameters' names determine. */
export async function fixtureModel({ name, options }: Small): Promise<AnyModel> {
  const model = createModel(name, { classes: 10, ...options }) as AnyModel
  await setFixtureWeights(model)
  return model
}

export function fixtureImages({ name, size }: Small, batch: number): Tensor {
  return fixtureImage('small', [batch, name.startsWith('lenet') ? 1 : 3, size, size], 0, 8)
}

/** Logits of two images in evaluation. */
export async function evaluated(
  device: Device,
  network: Small,
  precision: Precision = 'f32',
): Promise<Float32Array> {
  const model = await fixtureModel(network)
  const size = [network.size, network.size] as const
  using net = await model.compile(device, { batch: 2, size, precision })
  const { logits } = await net.predict(fixtureImages(network, 2))
  return Float32Array.from(logits.data)
}

export interface Gradients {
  readonly output: Readonly<Record<string, Tensor>>
  /** Of all parameters by name, and of the images as `input`. */
  readonly gradients: Readonly<Record<string, Tensor>>
}

/** Outputs for four images in training, and the gradients of a fixed combination of them. */
export async function trained(
  device: Device,
  network: Small,
  precision: Precision = 'f32',
): Promise<Gradients> {
  const model = await fixtureModel(network)
  const size = [network.size, network.size] as const
  using program = await model.compile(device, { batch: 4, size, training: true, precision })
  const { output, backward } = await program.forward(fixtureImages(network, 4))
  const seeds: Record<string, Tensor> = {}
  for (const [head, { shape: seed }] of Object.entries(output))
    seeds[head] = tensor(Float32Array.from(levels(`seed/${head}`, seed[0]! * seed[1]!)), seed)
  const { parameters, input } = await backward(seeds)
  return { output, gradients: { ...parameters, input: input! } }
}

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

/** Relative errors of all gradients, in ascending order. */
export function gradientErrors(got: Gradients, expected: Gradients): readonly number[] {
  const largest = Math.max(...Object.values(expected.gradients).map(({ data }) => norm(data)))
  return (
    Object.entries(expected.gradients)
      // What batch norm leaves of a bias' gradient is rounding.
      .filter(([, { data }]) => norm(data) > 1e-5 * largest)
      .map(([parameter, { data }]) => relativeL2(got.gradients[parameter]!.data, data))
      .sort((a, b) => a - b)
  )
}
