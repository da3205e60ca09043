import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Dataset } from '../../ts/data/datasets/dataset.js'
import { CheckpointError, InvalidArgumentError } from '../../ts/errors.js'
import { Device } from '../../ts/runtime/device.js'
import type { Value } from '../../ts/graph/graph.js'
import { Model } from '../../ts/model/model.js'
import { conv2d, flatten, linear, Network, relu, sequential } from '../../ts/nn/index.js'
import type { TrainerEvent } from '../../ts/train/events.js'
import { train, type TrainerOptions } from '../../ts/train/trainer.js'
import { TEST_DEVICE } from '../support/device.js'
import { withWinograd } from '../support/kernels.js'
import {
  failure,
  metricsOf,
  ofKind,
  PLAIN,
  quarters,
  RECIPE,
  temporaryFolders,
  tensorsOf,
  tiny,
  useDevice,
} from './helpers.js'

const folder = temporaryFolders()
const used = useDevice({ threads: 2 })
const data = quarters(80)
const validation = quarters(20, 1, 'more quarters')
const options = (): TrainerOptions => ({
  model: tiny(),
  device: used.device,
  train: data,
  validation,
  workers: 0,
  recipe: RECIPE,
  freeze: { patterns: ['features.0'], epochs: 1 },
})

/** Trains until `stop` says so of an event. */
async function until(stop: (event: TrainerEvent) => boolean, more: Partial<TrainerOptions>) {
  const controller = new AbortController()
  const onEvent = (event: TrainerEvent) => {
    if (stop(event)) controller.abort()
  }
  return train({ ...options(), ...more, onEvent, signal: controller.signal })
}

async function expectSame(a: string, b: string) {
  for (const file of ['best.safetensors', 'last.safetensors'])
    expect(readFileSync(join(a, file)).equals(readFileSync(join(b, file))), file).toBe(true)
  expect(await tensorsOf(join(a, 'state.safetensors'))).toEqual(await tensorsOf(join(b, 'state.safetensors')))
}

/** What was measured, without how long it took. */
const measured = (out: string) =>
  metricsOf(out)
    .filter(({ kind }) => kind === 'step' || kind === 'epoch')
    .map((event) => ({ ...event, imagesPerSecond: 0, secondsLeft: 0, seconds: 0 }))

/** With a convolution that there are two kernels for. */
class Wide extends Network {
  readonly features = sequential(
    conv2d(1, 16, { kernel: 3, padding: 1 }),
    conv2d(16, 16, { kernel: 3, padding: 1 }),
    relu,
  )
  readonly classifier = linear(16 * 8 * 8, 4)

  override forward(x: Value) {
    return { logits: x.pipe(this.features, flatten, this.classifier) }
  }
}

describe('goes on bit for bit', () => {
  test('on a device that would choose other kernels', async () => {
    const [whole, parts] = [folder(), folder()]
    const wide = (): Partial<TrainerOptions> => ({
      model: new Model(new Wide(), { ...tiny().info, name: 'wide' }),
      freeze: undefined,
    })
    await withWinograd(
      (device) => wide().model!.compile(device, { batch: 8, training: true }),
      async (device) => {
        await train({ ...options(), ...wide(), device, out: whole })
        await until((e) => e.kind === 'step' && e.epoch === 2, { ...wide(), device, out: parts })
        expect(Object.values(device.kernelChoices())).toContain('winograd')
      },
    )
    using other = await Device.open('cpu', { threads: 2, tuning: 'off' })
    await train({ ...options(), ...wide(), device: other, out: parts, resume: true })
    expect(Object.values(other.kernelChoices())).toContain('winograd')
    await expectSame(parts, whole)
  })

  test.each([
    ['in the middle of an epoch', (e: TrainerEvent) => e.kind === 'step' && e.epoch === 2 && e.step === 3],
    ['before the first update', (e: TrainerEvent) => e.kind === 'step'],
    ['after the last step of an epoch', (e: TrainerEvent) => e.kind === 'step' && e.step === e.steps],
    ['between two epochs', (e: TrainerEvent) => e.kind === 'epoch'],
    ['before anything', (e: TrainerEvent) => e.kind === 'start'],
  ])('when it was interrupted %s', async (_, stop) => {
    const [whole, parts] = [folder(), folder()]
    await train({ ...options(), out: whole })
    const report = await until(stop, { out: parts })
    expect(report.reason).toBe('interrupted')
    expect(metricsOf(parts).at(-1)).toMatchObject({ kind: 'stopped', reason: 'interrupted' })
    const events: TrainerEvent[] = []
    const onEvent = (event: TrainerEvent) => events.push(event)
    await train({ ...options(), out: parts, resume: true, onEvent })
    const { epoch, step } = report
    expect(ofKind(events, 'start')[0]!.resumedAt).toEqual({ epoch, step })
    await expectSame(parts, whole)
    expect(measured(parts)).toEqual(measured(whole))
  })

  test('when it was interrupted in a validation', async () => {
    const [whole, parts] = [folder(), folder()]
    await train({ ...options(), out: whole })
    const controller = new AbortController()
    // The first example of the validation set is asked for when the epoch's last step is done.
    const interrupting: Dataset = {
      ...{ name: validation.name, classes: validation.classes, size: validation.size },
      label: (index) => validation.label(index),
      get: (index, preprocessing) => {
        controller.abort()
        return validation.get(index, preprocessing)
      },
    }
    const { signal } = controller
    const report = await train({ ...options(), validation: interrupting, out: parts, signal })
    expect(report).toMatchObject({ reason: 'interrupted', epoch: 0, step: 10, epochs: [] })
    await train({ ...options(), out: parts, resume: true })
    await expectSame(parts, whole)
    expect(measured(parts)).toEqual(measured(whole))
  })

  test('when it is interrupted at every step', async () => {
    const [whole, parts] = [folder(), folder()]
    await train({ ...options(), out: whole, epochs: 2 })
    let report = await until((event) => event.kind === 'step', { out: parts, epochs: 2 })
    for (let i = 0; i < 40 && report.reason === 'interrupted'; i++)
      report = await until((event) => event.kind === 'step', { out: parts, epochs: 2, resume: true })
    expect(report.reason).toBe('finished')
    await expectSame(parts, whole)
    expect(measured(parts)).toEqual(measured(whole))
  })

  test('when it is made longer', async () => {
    const [whole, parts] = [folder(), folder()]
    await train({ ...options(), out: whole, epochs: 3 })
    await train({ ...options(), out: parts, epochs: 1 })
    await train({ ...options(), out: parts, epochs: 3, resume: true })
    await expectSame(parts, whole)
  })

  test('from the middle that was saved every so many steps', async () => {
    const [whole, parts, copy] = [folder(), folder(), folder()]
    await train({ ...options(), out: whole })
    const onEvent = (event: TrainerEvent) => {
      // What lies there after the fifth step of the second epoch is what a crash would leave: the fourth step's.
      if (event.kind === 'step' && event.epoch === 2 && event.step === 5)
        cpSync(parts, copy, { recursive: true })
    }
    await train({ ...options(), out: parts, saveEvery: 4, onEvent })
    const events: TrainerEvent[] = []
    await train({ ...options(), out: copy, resume: true, onEvent: (event) => events.push(event) })
    expect(ofKind(events, 'start')[0]!.resumedAt).toEqual({ epoch: 1, step: 4 })
    await expectSame(copy, whole)
    expect(measured(copy)).toEqual(measured(whole))
  })

  test('with Adam, and with RMSprop', async () => {
    for (const kind of ['adam', 'rmsProp'] as const) {
      const recipe = { ...RECIPE, optimizer: { kind, lr: 0.01 } }
      const [whole, parts] = [folder(), folder()]
      await train({ ...options(), recipe, out: whole, epochs: 2 })
      await until((e) => e.kind === 'step' && e.step === 7, { recipe, out: parts, epochs: 2 })
      await train({ ...options(), recipe, out: parts, epochs: 2, resume: true })
      await expectSame(parts, whole)
    }
  })

  test('and begins where there is nothing to go on with', async () => {
    const out = folder()
    const report = await train({ ...options(), out, resume: true, epochs: 1 })
    expect(report).toMatchObject({ reason: 'finished', epoch: 1 })
  })
})

describe('refuses by name', () => {
  async function interrupted(more: Partial<TrainerOptions> = {}) {
    const out = folder()
    await until((event) => event.kind === 'epoch', { out, freeze: undefined, ...more })
    return out
  }

  const others: readonly (readonly [string, Partial<TrainerOptions>, string])[] = [
    ['network', { model: tiny({ name: 'other' }) }, 'network.name was "tiny" and is "other"'],
    ['width', { model: tiny({ channels: 4 }) }, 'network.parameters was'],
    [
      'rate',
      { recipe: { ...RECIPE, optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9, weightDecay: 1e-4 } } },
      'recipe.optimizer.lr was 0.05 and is 0.1',
    ],
    ['recipe', { recipe: PLAIN }, 'recipe.name was "tiny" and is "plain"'],
    [
      'data set',
      { train: quarters(80, 0, 'other quarters') },
      'data.name was "quarters" and is "other quarters"',
    ],
    ['labels', { train: quarters(80, 5) }, 'data.labels was'],
    ['validation set', { validation: null }, 'validation was'],
    ['batch', { batch: 16 }, 'batch was 8 and is 16'],
    ['seed', { seed: 1 }, 'seed was 0 and is 1'],
    ['frozen layers', { freeze: { patterns: ['features'], epochs: 9 } }, 'freeze was null and is'],
  ]
  test.each(others)('another %s', async (_, other, message) => {
    const out = await interrupted()
    const before = readFileSync(join(out, 'state.safetensors'))
    const error = await failure(train({ ...options(), freeze: undefined, ...other, out, resume: true }))
    expect(error).toBeInstanceOf(CheckpointError)
    expect((error as CheckpointError).code).toBe('RESUME_MISMATCH')
    expect((error as CheckpointError).message).toContain(message)
    expect(readFileSync(join(out, 'state.safetensors')).equals(before)).toBe(true)
  })

  // Only a CPU has threads to count.
  test.skipIf(TEST_DEVICE !== 'cpu')('another number of threads (of a CPU)', async () => {
    const out = await interrupted()
    using one = await Device.open('cpu', { threads: 1 })
    const again = train({ ...options(), freeze: undefined, device: one, out, resume: true })
    await expect(again).rejects.toThrow(/device was ".* 2 threads.*" and is ".* 1 thread/)
  })

  test('another length, where the rate depends on it', async () => {
    const recipe = { ...RECIPE, schedule: { kind: 'oneCycle' } } as const
    const out = await interrupted({ recipe })
    const again = train({ ...options(), freeze: undefined, recipe, epochs: 5, out, resume: true })
    await expect(again).rejects.toThrow('epochs was 3 and is 5')
  })

  test('other kernels', async () => {
    const out = await interrupted()
    const path = join(out, 'state.safetensors')
    const bytes = readFileSync(path, 'latin1')
    writeFileSync(
      path,
      bytes.replace(/kernels\\":\[\\"./, (found) => `${found.slice(0, -1)}x`),
      'latin1',
    )
    const again = train({ ...options(), freeze: undefined, out, resume: true })
    await expect(again).rejects.toThrow('kernels was')
  })

  test('a file that is no state of a training', async () => {
    const out = await interrupted()
    copyFileSync(join(out, 'last.safetensors'), join(out, 'state.safetensors'))
    await expect(train({ ...options(), out, resume: true })).rejects.toThrow('is not the state of a training')
  })

  test('to begin where another training lies', async () => {
    const out = await interrupted()
    const error = await failure(train({ ...options(), out }))
    expect(error).toBeInstanceOf(InvalidArgumentError)
    expect((error as Error).message).toContain('holds a training already')
  })
})
