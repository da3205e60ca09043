import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import type { Dataset } from '../../ts/data/datasets/dataset.js'
import { openFolder } from '../../ts/data/datasets/folder.js'
import { DivergedError, ImageError } from '../../ts/errors.js'
import { evaluate } from '../../ts/evaluate/index.js'
import type { Model } from '../../ts/model/model.js'
import { tensor } from '../../ts/tensor.js'
import { firstNonFinite } from '../../ts/train/diagnose.js'
import type { TrainerEvent } from '../../ts/train/events.js'
import { crossEntropy } from '../../ts/train/loss.js'
import { sgd } from '../../ts/train/optimizer.js'
import { Programs } from '../../ts/train/programs.js'
import { rateAt } from '../../ts/train/schedule.js'
import { train } from '../../ts/train/trainer.js'
import {
  CLASSES,
  failure,
  metricsOf,
  ofKind,
  PLAIN,
  quarters,
  RECIPE,
  temporaryFolders,
  tiny,
  useDevice,
} from './helpers.js'

const folder = temporaryFolders()
const used = useDevice()
const data = quarters(96)
const validation = quarters(50, 1, 'more quarters')
const options = () => ({ model: tiny(), device: used.device, train: data, workers: 0 })

/** Trains, and gives what happened, too. */
async function trained(more: Partial<Parameters<typeof train>[0]> = {}) {
  const events: TrainerEvent[] = []
  const onEvent = (event: TrainerEvent) => events.push(event)
  const all = { ...options(), recipe: PLAIN, validation, ...more, onEvent }
  return { report: await train(all), events, model: all.model }
}

describe('a training', () => {
  test('learns, and tells how', async () => {
    const out = folder()
    const { report, events } = await trained({ out, epochs: 6 })
    const [start, first] = events
    expect(start).toEqual({
      kind: 'start',
      device: used.device.description,
      network: 'tiny',
      parameters: 8 * 9 + 2 * 8 + 4 * 128 + 4,
      steps: 12,
      epochs: 6,
    })
    expect(first).toMatchObject({ kind: 'step', epoch: 1, step: 1, steps: 12, lr: 0.05 })
    expect(ofKind(events, 'step')).toHaveLength(72)
    expect(ofKind(events, 'epoch').map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6])
    expect(events.at(-1)).toMatchObject({ kind: 'stopped', reason: 'finished', epoch: 6, step: 0 })
    const last = report.epochs.at(-1)!
    expect(last.validation!.top1).toBeGreaterThan(0.9)
    expect(last.train.loss).toBeLessThan(report.epochs[0]!.train.loss)
    expect(report).toMatchObject({ reason: 'finished', epoch: 6, step: 0 })
    expect(metricsOf(out)).toEqual(JSON.parse(JSON.stringify(events)))
  })

  test('keeps best and last weights, which give the accuracy that was told', async () => {
    const out = folder()
    const { report } = await trained({
      out,
      recipe: { ...PLAIN, optimizer: { kind: 'sgd', lr: 0.3 } },
      epochs: 5,
    })
    const best = Math.max(...report.epochs.map((epoch) => epoch.validation!.top1))
    const told = { 'best.safetensors': best, 'last.safetensors': report.epochs.at(-1)!.validation!.top1 }
    for (const [file, top1] of Object.entries(told)) {
      const model = tiny()
      await model.load(join(out, file))
      expect((await evaluate(model, validation, { device: used.device })).top1).toBe(top1)
    }
    const isBest = report.epochs.filter((epoch) => epoch.best)
    expect(isBest.at(-1)!.validation!.top1).toBe(best)
    expect(report.best).toEqual({ epoch: isBest.at(-1)!.epoch, top1: best })
  })

  test('goes by its schedule', async () => {
    const recipe = { ...PLAIN, schedule: { kind: 'warmup', length: 5, then: { kind: 'cosine' } } } as const
    const { events } = await trained({ recipe, validation: null })
    const rates = ofKind(events, 'step').map(({ lr }) => lr)
    const moment = { epoch: 0, stepsPerEpoch: 12, epochs: 2 }
    expect(rates).toEqual(rates.map((_, step) => rateAt(recipe.schedule, 0.05, { ...moment, step })))
    expect(new Set(rates).size).toBeGreaterThan(20)
  })

  test('lowers the rate on a plateau', async () => {
    const schedule = { kind: 'plateau', patience: 0, factor: 0.5, threshold: 1 } as const
    const { report } = await trained({ recipe: { ...PLAIN, schedule }, epochs: 4 })
    expect(report.epochs.map(({ lr }) => lr)).toEqual([0.05, 0.05, 0.025, 0.0125])
  })

  test('is the same with and without threads that load, and another with another seed', async () => {
    const weights = await Promise.all(
      [{ workers: 0 }, { workers: 2 }, { seed: 1 }].map(async (more) => {
        const { model } = await trained({ ...more, recipe: RECIPE, validation: null })
        return model.weights.get('classifier.1.weight')
      }),
    )
    expect(weights[1]).toEqual(weights[0])
    expect(weights[2]).not.toEqual(weights[0])
  })

  test('needs neither validation nor folder, and takes the loss for the best', async () => {
    const { report } = await trained({ validation: null })
    expect(report.epochs.every(({ validation }) => validation === null)).toBe(true)
    expect(report.best).toEqual({ epoch: 2, loss: report.epochs[1]!.train.loss })
  })

  test('takes mean squares and mixed images', async () => {
    const loss = { kind: 'meanSquaredError', on: 1, off: -1 } as const
    const squares = await trained({ recipe: { ...PLAIN, loss }, epochs: 6 })
    expect(squares.report.epochs.at(-1)!.validation).not.toHaveProperty('loss')
    expect(squares.report.epochs.at(-1)!.validation!.top1).toBeGreaterThan(0.8)
    const mixed = await trained({ recipe: { ...PLAIN, mixup: { alpha: 0.4 } }, epochs: 6 })
    expect(mixed.report.epochs.at(-1)!.validation!.top1).toBeGreaterThan(0.8)
  })

  test('refuses data of other classes, and too little of it', async () => {
    await expect(trained({ model: tiny({ classes: 3 }) })).rejects.toThrow(
      'has 4 classes, but tiny tells 3 apart',
    )
    await expect(trained({ batch: 97 })).rejects.toThrow('holds 96 examples, too few for a batch of 97')
  })
})

describe('averages of the weights', () => {
  test('are what is validated and kept', async () => {
    const out = folder()
    const { report, model } = await trained({ out, recipe: { ...PLAIN, average: 0.95 } })
    const kept = tiny()
    await kept.load(join(out, 'last.safetensors'))
    expect(await kept.weights.get('classifier.1.weight')).not.toEqual(
      await model.weights.get('classifier.1.weight'),
    )
    expect(await kept.weights.get('features.1.running_mean')).toEqual(
      await model.weights.get('features.1.running_mean'),
    )
    const counter = 'features.1.num_batches_tracked'
    expect(kept.weights.counter(counter)).toBe(24n)
    expect(model.weights.counter(counter)).toBe(24n)
    const { top1 } = await evaluate(kept, validation, { device: used.device })
    expect(top1).toBe(report.epochs.at(-1)!.validation!.top1)
  })
})

describe('frozen layers', () => {
  const names = ['features.0.weight', 'features.1.weight', 'features.1.running_mean']

  test('stay exactly as they are, then learn', async () => {
    const model = tiny()
    const before = await Promise.all(names.map((name) => model.weights.get(name)))
    const seen: (readonly Float32Array[])[] = []
    const out = folder()
    const freeze = { patterns: ['features'], epochs: 2 }
    await train({ ...options(), model, recipe: PLAIN, epochs: 2, freeze, out })
    seen.push(await Promise.all(names.map((name) => model.weights.get(name))))
    expect(seen[0]).toEqual(before)
    await train({ ...options(), model, recipe: PLAIN, epochs: 3, freeze, out, resume: true })
    seen.push(await Promise.all(names.map((name) => model.weights.get(name))))
    for (const i of names.keys()) expect(seen[1]![i]).not.toEqual(before[i])
  })

  test('when they learn, the optimizer goes on for the others', async () => {
    const model = tiny()
    const programs = new Programs({
      precision: 'f32',
      model,
      device: used.device,
      step: { loss: crossEntropy(), optimizer: sgd({ lr: 0.1, momentum: 0.9 }) },
      freezes: [['features'], []],
      validates: false,
      validator: {
        batch: 8,
        preprocessing: model.info.preprocessing,
        workers: 0,
        onCorrupt: 'fail',
        onSkipped: () => undefined,
        withLoss: false,
      },
    })
    await programs.next()
    const images = tensor(
      Float32Array.from({ length: 512 }, (_, i) => ((i * 37) % 101) / 101),
      [8, 1, 8, 8],
    )
    for (let i = 0; i < 3; i++) await programs.step.run(images, Int32Array.of(0, 1, 2, 3, 0, 1, 2, 3))
    const before = await programs.step.state()
    expect([...before.keys()]).toEqual(['velocity/classifier.1.weight', 'velocity/classifier.1.bias'])
    await programs.next()
    const after = await programs.step.state()
    expect(after.size).toBe(5)
    for (const [name, { data }] of before) {
      expect(data.some((value) => value !== 0)).toBe(true)
      expect(after.get(name)!.data).toEqual(data)
    }
    expect(after.get('velocity/features.0.weight')!.data.every((value) => value === 0)).toBe(true)
    expect(programs.step).toMatchObject({ updates: 3, batches: 3 })
    programs.dispose()
  })
})

describe('a training that diverges', () => {
  test('ends with an error that names step, rate and layer, and what was saved stays', async () => {
    const out = folder()
    const events: TrainerEvent[] = []
    const schedule = { kind: 'step', milestones: [1], factor: 1e37 } as const
    const error = await failure(
      train({
        ...options(),
        recipe: { ...PLAIN, schedule },
        out,
        onEvent: (event) => events.push(event),
      }),
    )
    expect(error).toBeInstanceOf(DivergedError)
    const { code, epoch, step, lr, layer, message } = error as DivergedError
    expect({ code, epoch, lr, layer }).toEqual({ code: 'DIVERGED', epoch: 2, lr: 5e35, layer: 'features.1' })
    expect(message).toContain(
      `the training of tiny diverged in epoch 2, step ${step}, at a learning rate of 5e+35: `,
    )
    expect(message).toMatch(/; first the output of features\.1 \(batchNormTraining\) is not finite$/)
    expect(events.at(-1)).toMatchObject({ kind: 'stopped', reason: 'diverged', epoch: 1, message })
    const model = tiny()
    await model.load(join(out, 'last.safetensors'))
    expect((await model.weights.get('classifier.1.weight')).every(Number.isFinite)).toBe(true)
  })

  test('by a rate of a million', async () => {
    const recipe = { ...PLAIN, optimizer: { kind: 'sgd', lr: 1e6, momentum: 0.9 } } as const
    const error = await failure(train({ ...options(), recipe, epochs: 50 }))
    expect(error).toBeInstanceOf(DivergedError)
    const { epoch, step, lr, layer, message } = error as DivergedError
    expect(lr).toBe(1e6)
    expect(layer).toMatch(/^(features|classifier)\.\d$/)
    expect(message).toContain(`in epoch ${epoch}, step ${step}, at a learning rate of 1000000: `)
  })

  test('by gradients that are not finite ten times in a row', async () => {
    const model = await steep()
    const before = await model.weights.get('features.0.weight')
    const preprocessing = { ...model.info.preprocessing, scale: 4e-11 }
    const error = await failure(train({ ...options(), model, preprocessing, recipe: PLAIN }))
    expect(error).toBeInstanceOf(DivergedError)
    expect(error).toMatchObject({ epoch: 1, step: 10, layer: 'features.1' })
    expect((error as DivergedError).message).toMatch(
      /the norm of the gradients was (Infinity|NaN) in 10 steps in a row; first the gradient of features\.1 /,
    )
    expect(await model.weights.get('features.0.weight')).toEqual(before)
  })
})

/** Weights with which the loss of very dark images is finite, but no gradient of the first layers. */
async function steep(): Promise<Model> {
  const model = tiny()
  // Batch norm hardly scales such images up, but their gradients a hundred thousand times.
  const weight = new Float32Array(4 * 128).map((_, i) => (i % 128 < 16 ? (i - 200) * 1e33 : 0))
  await model.weights.set('features.1.weight', new Float32Array(8).fill(1e3))
  await model.weights.set('classifier.1.weight', weight)
  return model
}

describe('the layer in which a number first is not finite', () => {
  /** Of a batch of images all of this brightness but for a little noise. */
  async function found(model: Model, scale: number) {
    const images = tensor(
      Float32Array.from({ length: 8 * 64 }, (_, i) => scale * ((i * 37) % 101)),
      [8, 1, 8, 8],
    )
    const labels = Int32Array.of(0, 1, 2, 3, 0, 1, 2, 3)
    const rest = { loss: crossEntropy(), freeze: [], seed: 0, batches: 0 }
    return firstNonFinite(model, used.device, { images, labels, ...rest })
  }

  test('is found among outputs', async () => {
    const model = tiny()
    expect(await found(model, 1e-6)).toBeNull()
    await model.weights.set('classifier.1.bias', Float32Array.of(0, 0, Infinity, 0))
    expect(await found(model, 1e-6)).toEqual({ layer: 'classifier.1', op: 'linear', what: 'output' })
    expect(await found(model, 1e35)).toMatchObject({ layer: 'features.1', what: 'output' })
  })

  test('and among gradients', async () => {
    const model = await steep()
    expect(await found(model, 1e-8)).toMatchObject({ layer: 'features.1', what: 'gradient' })
  })
})

describe('a damaged image', () => {
  /** A folder of images of which one is cut off. */
  async function images(): Promise<{ dataset: Dataset; damaged: string }> {
    const root = folder()
    for (const [label, name] of CLASSES.entries()) {
      mkdirSync(join(root, name), { recursive: true })
      for (let i = 0; i < 8; i++) {
        const pixels = new Uint8Array(64).map((_, p) => (p * 37 + i * 11 + label * 60) % 256)
        await sharp(pixels, { raw: { width: 8, height: 8, channels: 1 } }).toFile(
          join(root, name, `${i}.png`),
        )
      }
    }
    const damaged = join(root, 'c', '3.png')
    writeFileSync(damaged, readFileSync(damaged).subarray(0, 60))
    return { dataset: await openFolder(root, 'train'), damaged }
  }

  test('ends the training by name', async () => {
    const { dataset, damaged } = await images()
    const error = await failure(train({ ...options(), train: dataset, recipe: PLAIN }))
    expect(error).toBeInstanceOf(ImageError)
    expect((error as ImageError).message).toContain(damaged)
  })

  test('or is left out and told of', async () => {
    const { dataset, damaged } = await images()
    const { report, events } = await trained({ train: dataset, validation: dataset, onCorrupt: 'skip' })
    expect(report.reason).toBe('finished')
    const skipped = ofKind(events, 'skipped')
    // Twice in training, twice in validation.
    expect(skipped.map(({ name }) => name)).toEqual(Array.from({ length: 4 }, () => damaged))
    expect(skipped[0]!.message).toContain(damaged)
  })
})
