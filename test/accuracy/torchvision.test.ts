import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createModel, type ModelName } from '../../models/index.js'
import type { Model } from '../../ts/model/model.js'
import { Device } from '../../ts/runtime/device.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
import { bf16Missing, fallbacks, usesWinograd, withWinograd } from '../support/kernels.js'
import { readReference, relativeError, TORCHVISION_NETWORKS } from '../support/reference.js'

type AnyModel = Model<'logits', string>

interface Case {
  readonly image: { readonly name: string; readonly shape: readonly number[]; readonly block?: number }
  readonly logits: readonly (readonly number[])[]
}

const BOUND = 1e-5
/** Winograd's transforms cost a digit. */
const WINOGRAD_BOUND = 2e-5

let device: Device
beforeAll(async () => {
  device = await Device.open('cpu', { tuning: 'off' })
})

const rows: string[] = []
afterAll(() => {
  device.close()
  console.log(['network                      batch   rel. L2   bound', ...rows].join('\n'))
})

async function check(
  title: string,
  model: AnyModel,
  { image, logits }: Case,
  seed = 0,
  on = device,
): Promise<void> {
  await setFixtureWeights(model, seed)
  const [batch, , height, width] = image.shape as [number, number, number, number]
  const net = await model.compile(on, { batch, size: [height, width] })
  try {
    const result = await net.predict(fixtureImage(image.name, image.shape, seed, image.block))
    const schedule = net.describe()
    const bound = usesWinograd(schedule) ? WINOGRAD_BOUND : BOUND
    const error = relativeError(result.logits.data, logits)
    rows.push(
      `${title.padEnd(28)} ${String(batch).padStart(5)}   ${error.toExponential(2)}   ${bound.toExponential(0)}`,
    )
    if (on !== device) expect(usesWinograd(schedule)).toBe(true)
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

describe('the same with Winograd wherever it fits', () => {
  it.each(['vgg11', 'googlenet', 'inception_v3', 'resnet18', 'densenet121'] as const)(
    '%s',
    async (network) => {
      const { eval: expected, seed } = readReference(network)
      const [batch, , height, width] = expected.image.shape as [number, number, number, number]
      await withWinograd(
        (on) => createModel(network).compile(on, { batch, size: [height, width] }),
        (on) => check(`${network}, Winograd`, createModel(network), expected, seed, on),
      )
    },
  )
})

/** Of logits with activations of 16 bits. */
const NARROW_BOUND = 2e-2
/** Where the reference's first two differ by this much of the logits' root mean square, the first must be the same. */
const CLEAR_LEAD = 0.05

describe('logits with activations in bf16', () => {
  it.each(TORCHVISION_NETWORKS)('%s', async (network) => {
    const { eval: expected, seed } = readReference(network)
    const { name, shape, block } = expected.image as Case['image']
    const [batch, , height, width] = shape as [number, number, number, number]
    const model = createModel(network)
    await setFixtureWeights(model, seed)
    const compile = () => model.compile(device, { batch, size: [height, width], precision: 'bf16' })
    const missing = await bf16Missing(compile())
    if (missing) {
      console.log(`${network} in bf16 skipped: ${missing}`)
      return
    }
    using net = await compile()
    const { logits } = await net.predict(fixtureImage(name, shape, seed, block))
    const error = relativeError(logits.data, expected.logits)
    rows.push(
      `${`${network}, bf16`.padEnd(28)} ${String(batch).padStart(5)}   ${error.toExponential(2)}   2e-2`,
    )
    const schedule = net.describe()
    expect(fallbacks(schedule)).toEqual([])
    expect(
      schedule.filter(({ op, outputs }) => op === 'convolution' && !outputs[0]!.includes('bf16')),
    ).toEqual([])
    expect(error).toBeLessThan(NARROW_BOUND)
    for (const [i, row] of expected.logits.entries()) {
      const [first, second] = row.toSorted((a, b) => b - a) as [number, number]
      const rms = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / row.length)
      if (first - second > CLEAR_LEAD * rms)
        expect(topOf(logits.data.subarray(i * row.length, (i + 1) * row.length))).toBe(row.indexOf(first))
    }
  })
})

function topOf(row: Float32Array): number {
  return row.indexOf(Math.max(...row))
}

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
