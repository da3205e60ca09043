import { describe, expect, test } from 'vitest'
import { crossEntropy, sgd } from '../../../ts/index.js'
import type { Device } from '../../../ts/runtime/device.js'
import { relativeL2 } from '../../support/gradients.js'
import {
  bothDevices,
  evaluated,
  fixtureImages,
  fixtureModel,
  gradientErrors,
  trained,
  type Small,
} from './networks.js'

// Networks whose activations have 16 bits, held against what the CPU computes in f32: inference, gradients, and
// training steps with f32 weights.

const devices = bothDevices()

type Half = 'f16' | 'bf16'
/** Most that rounding changes, relative: half a unit of the last of 11 or 8 bits. */
const ROUNDING: Readonly<Record<Half, number>> = { f16: 2 ** -12, bf16: 2 ** -9 }
/** Relative L2 of the logits in evaluation, as it is asked of each type on real GPUs. */
const LOGITS: Readonly<Record<Half, number>> = { f16: 3e-3, bf16: 2e-2 }

/** With how many ReLUs and maxima stand behind each other. */
const NETWORKS: readonly (Small & { readonly decisions: number })[] = [
  { name: 'lenet5_modern', size: 32, decisions: 6 },
  { name: 'resnet20', size: 32, decisions: 19 },
  { name: 'densenet_bc', size: 32, options: { depth: 22 }, decisions: 21 },
]

/**
 * What rounding may change in a gradient, relative. Rounding errors by themselves are far smaller; but where the operand
 * of a ReLU is within them of 0, or two of a maximum of each other, the gradient goes elsewhere. That happens to a
 * share of about the rounding error of the elements, once for each such decision that a gradient passes; and as what
 * is sent elsewhere is as large as what is left, the square root of that share is the relative error.
 */
const gradientBound = (precision: Half, decisions: number) => Math.sqrt(ROUNDING[precision] * decisions)

/** Of these, inference alone: their gradients are too much work for a simulation. */
const LARGER: readonly Small[] = [
  { name: 'alexnet', size: 64 },
  { name: 'googlenet', size: 64 },
]

const inBoth = <T extends Small>(networks: readonly T[]) =>
  (['f16', 'bf16'] as const).flatMap((precision) => networks.map((network) => ({ ...network, precision })))

test.each(inBoth<Small>([...NETWORKS, ...LARGER]))('$name evaluated in $precision', async (network) => {
  const { precision } = network
  const error = relativeL2(
    await evaluated(devices.cuda, network, precision),
    await evaluated(devices.cpu, network),
  )
  expect(error).toBeLessThan(LOGITS[precision])
  // As something was rounded at all.
  expect(error).toBeGreaterThan(1e-6)
})

describe.each(inBoth(NETWORKS))('$name in $precision', ({ precision, decisions, ...network }) => {
  test('gradients', async () => {
    const errors = gradientErrors(
      await trained(devices.cuda, network, precision),
      await trained(devices.cpu, network),
    )
    const median = errors[errors.length >> 1]!
    expect(errors.length).toBeGreaterThanOrEqual(9)
    expect(median).toBeLessThan(gradientBound(precision, decisions))
    expect(errors.at(-1)).toBeLessThan(3 * gradientBound(precision, decisions))
    expect(median).toBeGreaterThan(ROUNDING[precision] / 4)
  })

  test('training steps', async () => {
    const losses = async (device: Device, steps: Half | 'f32') => {
      const model = await fixtureModel(network)
      using step = await model.compile(device, {
        batch: 4,
        size: [network.size, network.size],
        precision: steps,
        training: { loss: crossEntropy(), optimizer: sgd({ lr: 0.002, momentum: 0.9 }) },
      })
      const found: number[] = []
      const images = fixtureImages(network, 4)
      // The second is recorded, the third replayed. In f16 some change nothing but the scale of the loss before.
      for (let run = 0; found.length < 3 && run < 20; run++) {
        const { loss, updated } = await step.run(images, Int32Array.of(3, 1, 4, 0))
        if (updated) found.push(loss)
      }
      return found
    }
    const expected = await losses(devices.cpu, 'f32')
    const got = await losses(devices.cuda, precision)
    expect(relativeL2(got, expected)).toBeLessThan(LOGITS[precision])
    expect(expected.at(-1)).not.toBe(expected[0])
  })
})
