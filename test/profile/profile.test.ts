import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createModel } from '../../models/index.js'
import { costs, drawMemory, drawRates, traceOf, type Costs } from '../../ts/profile/index.js'
import { crossEntropy, Device, sgd, tensor } from '../../ts/index.js'
import type { Profile } from '../../ts/runtime/profile.js'
import { elementCount } from '../../ts/tensor.js'

let device: Device
beforeAll(async () => {
  device = await Device.open('cpu', { threads: 1, tuning: 'off' })
})
afterAll(() => {
  device.close()
})

function expectWhole({ steps, seconds }: Profile, runs: number) {
  expect(seconds).toHaveLength(runs)
  for (const { phase, seconds: times } of steps) expect(times).toHaveLength(phase === 'constants' ? 1 : runs)
  for (const time of [...seconds, ...steps.flatMap((step) => step.seconds)])
    expect(time).toBeGreaterThanOrEqual(0)
  for (let run = 0; run < runs; run++) {
    const inSteps = steps.filter(({ phase }) => phase !== 'constants')
    expect(inSteps.reduce((sum, step) => sum + step.seconds[run]!, 0)).toBeLessThanOrEqual(seconds[run]!)
  }
}

describe('a profile', () => {
  it('has a time for every line of the schedule, and what it computes', async () => {
    using net = await createModel('resnet20').compile(device, { batch: 2 })
    const profile = await net.profile({ runs: 3 })
    expectWhole(profile, 3)
    expect(profile.steps).toMatchObject(net.describe())
    const [stem] = profile.steps.filter(({ op }) => op === 'convolution')
    expect(stem).toMatchObject({
      path: 'conv1',
      // 2 x 16 x 32 x 32 outputs of 27 products each.
      flops: 2 * 32_768 * 27,
      problem: { op: 'convolution', inputs: [{ shape: [2, 3, 32, 32] }, { shape: [16, 3, 3, 3] }, {}, null] },
    })
    for (const { op, problem, flops, moved, bytes } of profile.steps.filter(({ op }) => op === 'reorder'))
      expect({ op, problem, flops, moved }).toEqual({
        op: 'reorder',
        problem: null,
        flops: 0,
        moved: 2 * bytes,
      })
    expect(profile.arenaBytes).toBe(net.arenaBytes)
  })

  it('leaves results as they are', async () => {
    using net = await createModel('lenet5_modern').compile(device)
    const images = tensor(new Float32Array(elementCount(net.inputShape)).fill(0.5), net.inputShape)
    const before = await net.predict(images)
    for (const caches of ['as they are', 'warm', 'cold'] as const)
      expectWhole({ ...(await net.profile({ runs: 2, caches })), steps: [] }, 2)
    expect((await net.predict(images)).logits.data).toEqual(before.logits.data)
  })

  it('of a training step takes all phases and leaves the weights alone', async () => {
    const model = createModel('resnet20')
    using step = await model.compile(device, {
      batch: 2,
      training: { loss: crossEntropy(), optimizer: sgd({ lr: 0.1, momentum: 0.9, weightDecay: 1e-4 }) },
    })
    const before = await model.weights.get('layer1.0.conv1.weight')
    const profile = await step.profile({ runs: 2 })
    expectWhole(profile, 2)
    expect(new Set(profile.steps.map(({ phase }) => phase))).toEqual(
      new Set(['forward', 'backward', 'update']),
    )
    expect(await model.weights.get('layer1.0.conv1.weight')).toEqual(before)
    expect(before.some((weight) => weight !== 0)).toBe(true)
  })

  it('is refused while activations wait for their backward half', async () => {
    const model = createModel('lenet5_modern')
    using program = await model.compile(device, { batch: 1, training: true })
    const images = tensor(new Float32Array(elementCount(program.inputShape)), program.inputShape)
    const { discard } = await program.forward(images)
    await expect(program.profile()).rejects.toMatchObject({ code: 'BUSY', subject: model.name })
    discard()
    expect((await program.profile({ runs: 1 })).seconds).toHaveLength(1)
  })

  it('is refused for no runs, and stops when it is told to', async () => {
    using net = await createModel('lenet5_modern').compile(device)
    await expect(net.profile({ runs: 0 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'runs',
    })
    const signal = AbortSignal.abort()
    await expect(net.profile({ signal })).rejects.toMatchObject({ code: 'ABORTED' })
    const caches = 'lukewarm' as 'warm'
    await expect(net.profile({ caches })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'caches',
    })
  })
})

/** A profile of round numbers: constants, a convolution of 1 ms, a reorder of 3 ms. */
const MADE_UP: Profile = {
  steps: [
    line('constants', 'foldBatchNorm', [0.5], { flops: 9, moved: 9 }),
    line('forward', 'convolution', [0.003, 0.001, 0.001], { flops: 4e9, moved: 1000 }),
    line('forward', 'reorder', [0.003, 0.003, 0.003], { flops: 0, moved: 3000 }),
  ],
  seconds: [0.006, 0.005, 0.004],
  wall: [0.007, 0.006, 0.005],
  arena: [
    { offset: 0, bytes: 100, first: 0, last: 3 },
    { offset: 256, bytes: 10, first: 0, last: 1 },
    { offset: 256, bytes: 7, first: 2, last: 2 },
  ],
  arenaBytes: 266,
}

function line(
  phase: string,
  op: string,
  seconds: readonly number[],
  work: { readonly flops: number; readonly moved: number },
): Profile['steps'][number] {
  const rest = {
    path: 'conv1',
    implementation: 'jit',
    bytes: 0,
    scratchBytes: 0,
    inPlace: false,
    problem: null,
  }
  return { phase, op, inputs: ['nchw'], outputs: ['nChw16c'], instruction: 0, seconds, ...work, ...rest }
}

describe('its sums', () => {
  const made: Costs = costs(MADE_UP)

  it('are medians, shares and memory in use', () => {
    expect(made.steps).toMatchObject([
      { op: 'convolution', seconds: 0.001, share: 0.25, flops: 4e9, live: 110, layout: ['nchw', 'nChw16c'] },
      { op: 'reorder', seconds: 0.003, share: 0.75, moved: 3000, live: 107 },
    ])
    expect(made.ops.map(({ op, count, share }) => [op, count, share])).toEqual([
      ['reorder', 1, 0.75],
      ['convolution', 1, 0.25],
    ])
    expect(made.run).toMatchObject({ median: 0.005 })
    expect(made).toMatchObject({
      kernels: 0.004,
      reorders: 1,
      constants: { steps: 1, bytes: 100 },
      arenaBytes: 266,
    })
  })

  it('are a trace: slices one after the other, a phase above, memory beside', () => {
    const { traceEvents } = traceOf('network', made)
    const slices = traceEvents.filter(({ ph }) => ph === 'X')
    expect(slices.map(({ name, cat, ts, dur }) => [name, cat, ts, dur])).toEqual([
      ['convolution conv1', 'convolution', 0, 1000],
      ['reorder conv1', 'reorder', 1000, 3000],
      ['forward', 'phase', 0, 4000],
    ])
    expect(slices[0]!.args).toMatchObject({ kernel: 'jit', layout: 'nchw -> nChw16c', 'GFLOP/s': 4000 })
    expect(traceEvents.filter(({ ph }) => ph === 'C').map(({ args }) => args!.bytes)).toEqual([110, 107])
  })

  it('are pictures with a bar a step and their units', async () => {
    const rates = await drawRates('network', made)
    for (const word of ['network: arithmetic over time', 'GFLOP/s', 'time (ms)', 'convolution', 'reorder'])
      expect(rates).toContain(`>${word}<`)
    expect(await drawMemory('network', made)).toContain('>MiB<')
  })
})
