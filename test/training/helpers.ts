import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { ArrayDataset } from '../../ts/data/datasets/dataset.js'
import { MNIST } from '../../ts/data/preprocessing.js'
import type { Value } from '../../ts/graph/graph.js'
import { openCheckpoint } from '../../ts/io/checkpoint.js'
import { Model } from '../../ts/model/model.js'
import {
  batchNorm2d,
  conv2d,
  dropout,
  flatten,
  linear,
  maxPool2d,
  Network,
  relu,
  sequential,
} from '../../ts/nn/index.js'
import { RandomStream } from '../../ts/random.js'
import type { Device } from '../../ts/runtime/device.js'
import type { TrainerEvent } from '../../ts/train/events.js'
import type { Recipe } from '../../ts/train/recipe.js'
import { openTestDevice } from '../support/device.js'

const SIDE = 8
export const CLASSES = ['a', 'b', 'c', 'd']

/** Folders that are removed after the tests of the file. */
export function temporaryFolders(): (name?: string) => string {
  const root = mkdtempSync(join(tmpdir(), 'fovea-training-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  let count = 0
  return (name = `run${count++}`) => join(root, name)
}

/** A device for the tests of the file, which repeats bit for bit. */
export function useDevice(options: { readonly threads?: number } = {}): { readonly device: Device } {
  const used = {} as { device: Device }
  beforeAll(async () => {
    used.device = await openTestDevice({ ...options, deterministic: true })
  })
  afterAll(() => used.device.close())
  return used
}

/** Grey images of 8 x 8: noise, and a bright quarter that tells the class. */
export function quarters(count: number, seed = 0, name = 'quarters'): ArrayDataset {
  const random = new RandomStream(seed, 1)
  const data = new Uint8Array(count * SIDE * SIDE)
  const labels = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    const label = Math.floor(4 * random.uniform())
    labels[i] = label
    for (let y = 0; y < SIDE; y++)
      for (let x = 0; x < SIDE; x++) {
        const bright = (y >= 4 ? 2 : 0) + (x >= 4 ? 1 : 0) === label
        data[(i * SIDE + y) * SIDE + x] = (bright ? 60 : 0) + 190 * random.uniform()
      }
  }
  return new ArrayDataset(name, CLASSES, { width: SIDE, height: SIDE, channels: 1, data }, labels)
}

/** Everything that has a state: batch norm, dropout, two layers with weights. */
class Tiny extends Network {
  readonly features
  readonly classifier

  constructor(classes: number, channels: number) {
    super()
    this.features = sequential(
      conv2d(1, channels, { kernel: 3, padding: 1, bias: false }),
      batchNorm2d(channels),
      relu,
      maxPool2d({ kernel: 2 }),
    )
    this.classifier = sequential(dropout(0.2), linear(channels * 16, classes))
  }

  override forward(x: Value) {
    return { logits: x.pipe(this.features, flatten, this.classifier) }
  }
}

/** A model that trains in no time. */
export function tiny({ classes = 4, channels = 8, name = 'tiny' } = {}): Model {
  const preprocessing = { ...MNIST, size: SIDE, resize: SIDE }
  const input = { channels: 1, size: SIDE }
  return new Model(new Tiny(classes, channels), { name, classes, input, preprocessing })
}

/** Uses all that must go on exactly: momentum, averages, accumulated gradients, a plateau, augmentation. */
export const RECIPE: Recipe = {
  name: 'tiny',
  source: 'made up',
  optimizer: { kind: 'sgd', lr: 0.05, momentum: 0.9, weightDecay: 1e-4 },
  schedule: { kind: 'plateau', patience: 0, factor: 0.5, threshold: 1 },
  epochs: 3,
  batch: 8,
  transforms: [
    { kind: 'randomCrop', padding: 1 },
    { kind: 'horizontalFlip', probability: 0.1 },
  ],
  loss: { kind: 'crossEntropy', labelSmoothing: 0.05 },
  accumulate: 2,
  average: 0.9,
}

/** A plain one. */
export const PLAIN: Recipe = {
  name: 'plain',
  source: 'made up',
  optimizer: { kind: 'sgd', lr: 0.05, momentum: 0.9 },
  schedule: { kind: 'constant' },
  epochs: 2,
  batch: 8,
  transforms: [],
  loss: { kind: 'crossEntropy' },
}

/** The events of one kind. */
export function ofKind<Kind extends TrainerEvent['kind']>(
  events: readonly TrainerEvent[],
  kind: Kind,
): Extract<TrainerEvent, { kind: Kind }>[] {
  return events.filter((event): event is Extract<TrainerEvent, { kind: Kind }> => event.kind === kind)
}

/** The events that a training wrote down. */
export function metricsOf(folder: string): TrainerEvent[] {
  const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as TrainerEvent)
}

/** All tensors of a file as bytes in hexadecimal digits, by name. */
export async function tensorsOf(path: string): Promise<Record<string, string>> {
  const checkpoint = await openCheckpoint(path)
  const found: Record<string, string> = {}
  for (const [name, tensor] of checkpoint.tensors) {
    const data = tensor.dtype === 'i64' ? await tensor.readInt64() : await tensor.read()
    found[name] = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')
  }
  await checkpoint.close()
  return found
}

/** The error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => Promise.reject(new Error('expected a rejection')),
    (error: unknown) => error,
  )
}
