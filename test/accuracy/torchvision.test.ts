import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createModel, type ModelName } from '../../models/index.js'
import type { Model } from '../../ts/model/model.js'
import { Device } from '../../ts/runtime/device.js'
import type { ScheduleEntry } from '../../ts/runtime/native.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
import { readReference, relativeError, TORCHVISION_NETWORKS } from '../support/reference.js'

type AnyModel = Model<'logits', string>

interface Case {
  readonly image: { readonly name: string; readonly shape: readonly number[]; readonly block?: number }
  readonly logits: readonly (readonly number[])[]
}

const BOUND = 1e-5
/** Winograd's transforms cost a digit. */
const WINOGRAD_BOUND = 2e-5

/** Operations that a library's slow fallback must never compute. */
const HEAVY = new Set(['convolution', 'linear', 'pooling', 'localResponseNorm', 'batchNorm'])

let device: Device
beforeAll(async () => {
  device = await Device.open('cpu')
})

const rows: string[] = []
afterAll(() => {
  device.close()
  console.log(['network                      batch   rel. L2   bound', ...rows].join('\n'))
})

const usesWinograd = (schedule: readonly ScheduleEntry[]) =>
  schedule.some(({ implementation }) => /wino/i.test(implementation))

const fallbacks = (schedule: readonly ScheduleEntry[]) =>
  schedule
    .filter(({ op, implementation }) => HEAVY.has(op) && implementation.includes('ref'))
    .map(({ op, path, implementation }) => `${op} at ${path}: ${implementation}`)

async function check(title: string, model: AnyModel, { image, logits }: Case, seed = 0): Promise<void> {
  await setFixtureWeights(model, seed)
  const [batch, , height, width] = image.shape as [number, number, number, number]
  const net = await model.compile(device, { batch, size: [height, width] })
  try {
    const result = await net.predict(fixtureImage(image.name, image.shape, seed, image.block))
    const schedule = net.describe()
    const bound = usesWinograd(schedule) ? WINOGRAD_BOUND : BOUND
    const error = relativeError(result.logits.data, logits)
    rows.push(
      `${title.padEnd(28)} ${String(batch).padStart(5)}   ${error.toExponential(2)}   ${bound.toExponential(0)}`,
    )
    expect(fallbacks(schedule)).toEqual([])
    expect(result.logits.shape).toEqual([batch, logits[0]!.length])
    expect(error).toBeLessThan(bound)
  } finally {
    net.dispose()
  }
}

describe('logits of torchvision, float64', () => {
  it.each(TORCHVISION_NETWORKS)('%s', async (network) => {
    const { eval: expected, seed } = readReference(network)
    await check(network, createModel(network), expected, seed)
  })
})

interface Classic extends Case {
  readonly network: ModelName
  readonly options: object
}

const CLASSICS = readdirSync(new URL('../data/reference/classics', import.meta.url))
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length))

describe('logits of the networks and options that torchvision does not have, and of odd image sizes', () => {
  it.each(CLASSICS)('%s', async (name) => {
    const classic = readReference(name, 'classics') as unknown as Classic
    await check(name, createModel(classic.network, classic.options), classic)
  })
})
