import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createModel, type ModelName } from '../../models/index.js'
import type { Model } from '../../ts/model/model.js'
import { Device } from '../../ts/runtime/device.js'
import type { Precision } from '../../ts/compile/precision.js'
import type { Tensor } from '../../ts/tensor.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
import { fallbacks, usesWinograd, withWinograd } from '../support/kernels.js'
import { readReference, relativeError, TORCHVISION_NETWORKS } from '../support/reference.js'
import {
  crossEntropyGradient,
  errorsOf,
  headsOf,
  spread,
  withoutDropout,
  type Spread,
} from '../support/step-errors.js'

type AnyModel = Model<'logits', string>

/** How far float32 may be from float64; Winograd's transforms cost a digit. */
interface Bounds {
  readonly logits: number
  readonly norm: Spread
  readonly probe: Spread
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

/** PyTorch's own errors in bf16, of which fovea's may be this multiple. */
const PYTORCH = JSON.parse(
  readFileSync(new URL('../data/reference/bf16.json', import.meta.url), 'utf8'),
) as Record<string, Narrow>
const MULTIPLE = 1.5

/** The worst of some dozens of random errors is random itself; their mean square is not. */
type Narrow = { readonly logits: number } & Readonly<Record<'norm' | 'probe', Typical>>
interface Typical {
  readonly rms: number
  readonly median: number
}

it.each(['alexnet', 'vgg11_bn', 'googlenet', 'resnet18', 'resnet50', 'densenet121'])(
  '%s in training with activations in bf16, beside PyTorch in bf16',
  { timeout: 300_000 },
  async (network) => {
    const unsupported = await compile(network, device, undefined, 'bf16').then(
      (program) => program.dispose(),
      (error: Error) => {
        if (error.message.includes('AVX512_BF16')) return error.message
        throw error
      },
    )
    if (unsupported) return void console.log(`${network} in bf16 skipped: ${unsupported}`)
    await check(network, device, 'bf16')
  },
)

function compile(
  network: string,
  on: Device,
  model: AnyModel = networkOf(network),
  precision: Precision = 'f32',
) {
  const { shape } = readReference(network).train!.image
  const [batch, , height, width] = shape as [number, number, number, number]
  return model.compile(on, { batch, size: [height, width], precision, training: true })
}

async function check(network: string, on: Device, precision: Precision = 'f32'): Promise<void> {
  const { train, seed } = readReference(network)
  const { shape, name } = train!.image
  const model = networkOf(network)
  await setFixtureWeights(model, seed)
  const program = await compile(network, on, model, precision)
  try {
    const { output, backward } = await program.forward(fixtureImage(name, shape, seed))
    const heads = headsOf(train!.aux.length)
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
    const kernels = precision === 'f32' ? (winograd ? 'Winograd' : 'direct') : precision
    rows.push(row(network, shape[0]!, figures, statistics, kernels))

    expect(fallbacks(schedule)).toEqual([])
    if (precision === 'bf16') return expectNoWorse(logits, errors, PYTORCH[network]!)
    const bounds = winograd ? WINOGRAD : DIRECT
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

function networkOf(network: string): AnyModel {
  return createModel(network as ModelName, withoutDropout(network))
}

function expectNoWorse(logits: number, errors: readonly Record<'norm' | 'probe', number>[], peer: Narrow) {
  expect(logits).toBeLessThan(MULTIPLE * peer.logits)
  for (const which of ['norm', 'probe'] as const) {
    const values = errors.map((error) => error[which])
    const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
    expect(rms, `${which}, root mean square`).toBeLessThan(MULTIPLE * peer[which].rms)
    expect(spread(values).median, `${which}, median`).toBeLessThan(MULTIPLE * peer[which].median)
  }
}

function row(
  network: string,
  batch: number,
  { logits, norm, probe }: Record<'norm' | 'probe', Spread> & { logits: number },
  statistics: number,
  kernels: string,
): string {
  const figures = [logits, norm.worst, norm.median, probe.worst, probe.median, statistics].map((value) =>
    value.toExponential(2).padStart(9),
  )
  return `${network.padEnd(14)} ${String(batch).padStart(5)} ${figures.join('    ')}    ${kernels}`
}
