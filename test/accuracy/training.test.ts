import { afterAll, beforeAll, expect, it } from 'vitest'
import { createModel, type ModelName } from '../../models/index.js'
import type { Model } from '../../ts/model/model.js'
import { Device } from '../../ts/runtime/device.js'
import type { ScheduleEntry } from '../../ts/runtime/native.js'
import type { Tensor } from '../../ts/tensor.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
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

/** Operations that a library's slow fallback must never compute. */
const HEAVY = /^(convolution|linear|pooling|localResponseNorm|batchNorm)/

const NETWORKS = TORCHVISION_NETWORKS.filter((network) => readReference(network).train)

let device: Device
beforeAll(async () => {
  device = await Device.open('cpu')
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

it.each(NETWORKS)('%s in training, beside PyTorch in float64', { timeout: 300_000 }, async (network) => {
  const { train, seed } = readReference(network)
  const { shape, name } = train!.image
  const model: AnyModel = createModel(network as ModelName, withoutDropout(network))
  await setFixtureWeights(model, seed)
  const program = await model.compile(device, {
    batch: shape[0]!,
    size: [shape[2]!, shape[3]!],
    training: true,
  })
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
    const winograd = schedule.some(({ implementation }) => /wino/i.test(implementation))
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
})

function fallbacks(schedule: readonly ScheduleEntry[]): string[] {
  return schedule
    .filter(({ op, implementation }) => HEAVY.test(op) && implementation.includes('ref'))
    .map(({ op, path, implementation }) => `${op} at ${path}: ${implementation}`)
}

function row(
  network: string,
  batch: number,
  { logits, norm, probe }: Record<'norm' | 'probe', Spread> & { logits: number },
  statistics: number,
  winograd: boolean,
): string {
  const figures = [logits, norm.worst, norm.median, probe.worst, probe.median, statistics].map((value) =>
    value.toExponential(2).padStart(9),
  )
  return `${network.padEnd(14)} ${String(batch).padStart(5)} ${figures.join('    ')}    ${winograd ? 'Winograd' : 'direct'}`
}
