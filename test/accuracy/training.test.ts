import { afterAll, beforeAll, expect, it } from 'vitest'
import { createModel, type ModelName } from '../../models/index.js'
import type { Model } from '../../ts/model/model.js'
import { Device } from '../../ts/runtime/device.js'
import { elementCount, tensor, Tensor } from '../../ts/tensor.js'
import { fixtureImage, levels, setFixtureWeights } from '../support/fixture-weights.js'
import { fallbacks, usesWinograd, withWinograd } from '../support/kernels.js'
import { readReference, relativeError, TORCHVISION_NETWORKS } from '../support/reference.js'

type AnyModel = Model<'logits', string>

/** How far float32 may be from float64; Winograd's transforms cost a digit. */
interface Bounds {
  readonly logits: number
  readonly norm: { readonly worst: number; readonly median: number }
  readonly probe: { readonly worst: number; readonly median: number }
}
const DIRECT: Bounds = {
  logits: 1e-4,
  norm: { worst: 1e-2, median: 2e-3 },
  probe: { worst: 6e-2, median: 1e-2 },
}
const WINOGRAD: Bounds = {
  logits: 5e-4,
  norm: { worst: 3e-2, median: 3e-3 },
  probe: { worst: 0.15, median: 2e-2 },
}
const STATISTICS = 1e-5
/** A bias before batch norm has no gradient: what is left is rounding. */
const NO_GRADIENT = 1e-9

const NETWORKS = TORCHVISION_NETWORKS.filter((network) => readReference(network).train)

let device: Device
beforeAll(async () => {
  device = await Device.open('cpu', { tuning: 'off' })
})
const rows: string[] = []
afterAll(() => {
  device.close()
  console.log(
    [
      'network        batch    logits  gradient norm: worst   median  probe: worst   median  statistics  kernels',
      ...rows,
    ].join('\n'),
  )
})

it.each(NETWORKS)('%s in training, beside PyTorch in float64', { timeout: 300_000 }, (network) =>
  check(network, device),
)

it.each(['vgg11', 'googlenet', 'inception_v3', 'resnet18', 'densenet121'] as const)(
  '%s in training, with Winograd wherever it fits',
  { timeout: 300_000 },
  (network) =>
    withWinograd(
      (on) => compile(network, on),
      (on) => check(network, on),
    ),
)

function compile(network: string, on: Device, model: AnyModel = networkOf(network)) {
  const { shape } = readReference(network).train!.image
  return model.compile(on, { batch: shape[0]!, size: [shape[2]!, shape[3]!], training: true })
}

async function check(network: string, on: Device): Promise<void> {
  const { train, seed } = readReference(network)
  const { shape, name } = train!.image
  const model = networkOf(network)
  await setFixtureWeights(model, seed)
  const program = await compile(network, on, model)
  try {
    const { output, backward } = await program.forward(fixtureImage(name, shape, seed))
    const heads = [
      'logits',
      ...(train!.aux.length > 1 ? ['aux1', 'aux2'] : train!.aux.length === 1 ? ['aux'] : []),
    ]
    const expected = [train!.logits, ...train!.aux]
    const logits = Math.max(...heads.map((head, i) => relativeError(output[head]!.data, expected[i]!)))
    const seeds = heads.map((head, i) => [
      head,
      crossEntropyGradient(output[head]!, train!.labels, i === 0 ? 1 : train!.aux_weight),
    ])
    const gradients = await backward(Object.fromEntries(seeds) as Record<string, Tensor>)
    const all: Record<string, Tensor> = { ...gradients.parameters, input: gradients.input! }
    expect(Object.keys(all).sort()).toEqual([...Object.keys(train!.gradients), 'input'].sort())

    const errors = Object.entries({ ...train!.gradients, input: train!.input_gradient })
      .filter(([, [l2]]) => l2 > NO_GRADIENT)
      .map(([parameter, summary]) => errorsOf(parameter, all[parameter]!.data, summary))
    const statistics = Math.max(
      0,
      ...(await Promise.all(
        Object.entries(train!.statistics).map(
          async ([statistic, summary]) =>
            errorsOf(statistic, await model.weights.get(statistic), summary).norm,
        ),
      )),
    )
    const schedule = program.describe()
    const winograd = usesWinograd(schedule)
    if (on !== device) expect(winograd).toBe(true)
    const figures = {
      logits,
      norm: spread(errors.map(({ norm }) => norm)),
      probe: spread(errors.map(({ probe }) => probe)),
    }
    rows.push(row(network, shape[0]!, figures, statistics, winograd))

    const bounds = winograd ? WINOGRAD : DIRECT
    expect(fallbacks(schedule)).toEqual([])
    expect(figures.logits).toBeLessThan(bounds.logits)
    expect(figures.norm.worst).toBeLessThan(bounds.norm.worst)
    expect(figures.norm.median).toBeLessThan(bounds.norm.median)
    expect(figures.probe.worst).toBeLessThan(bounds.probe.worst)
    expect(figures.probe.median).toBeLessThan(bounds.probe.median)
    expect(statistics).toBeLessThan(STATISTICS)
  } finally {
    program.dispose()
  }
}

/** Without dropout, whose masks PyTorch draws otherwise. */
function networkOf(network: string): AnyModel {
  if (network === 'googlenet') return createModel('googlenet', { dropout: 0, auxiliaryDropout: 0 })
  const options = /^(alexnet|vgg|inception)/.test(network) ? { dropout: 0 } : {}
  return createModel(network as ModelName, options)
}

/** Gradient of the mean cross-entropy of the softmax, in float64. */
function crossEntropyGradient({ data, shape }: Tensor, labels: readonly number[], weight: number): Tensor {
  const [n, classes] = shape as [number, number]
  const gradient = new Float32Array(elementCount(shape))
  for (let i = 0; i < n; i++) {
    const logits = Array.from(data.subarray(i * classes, (i + 1) * classes))
    const largest = Math.max(...logits)
    const exponentials = logits.map((logit) => Math.exp(logit - largest))
    const sum = exponentials.reduce((total, value) => total + value, 0)
    exponentials.forEach((value, k) => {
      gradient[i * classes + k] = (weight * (value / sum - (k === labels[i] ? 1 : 0))) / n
    })
  }
  return tensor(gradient, shape)
}

/** Relative error of the l2 norm; error of the probe in units of l2 / sqrt(count). */
function errorsOf(name: string, data: Float32Array, [l2, probe]: readonly [number, number]) {
  const directions = levels(`probe/${name}`, data.length)
  let square = 0
  let dot = 0
  data.forEach((value, i) => {
    square += value * value
    dot += value * directions[i]!
  })
  const root = Math.sqrt(data.length)
  return { norm: Math.abs(Math.sqrt(square) - l2) / l2, probe: Math.abs(dot / root - probe) / (l2 / root) }
}

function spread(values: readonly number[]): { readonly worst: number; readonly median: number } {
  const sorted = values.toSorted((a, b) => a - b)
  return { worst: sorted.at(-1)!, median: sorted[Math.floor(sorted.length / 2)]! }
}

function row(
  network: string,
  batch: number,
  { logits, norm, probe }: Record<'norm' | 'probe', ReturnType<typeof spread>> & { logits: number },
  statistics: number,
  winograd: boolean,
): string {
  const figures = [logits, norm.worst, norm.median, probe.worst, probe.median, statistics].map((value) =>
    value.toExponential(2).padStart(9),
  )
  return `${network.padEnd(14)} ${String(batch).padStart(5)} ${figures.join('    ')}    ${winograd ? 'Winograd' : 'direct'}`
}
