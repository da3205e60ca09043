// How long the event loop is held up while the device computes: the 99th percentile of its delay, beside an idle
// process's. By default VGG-16 classifies batches of 8; with `training`, ResNet-18 trains on batches of 16 that other
// threads decode and augment. Prints JSON.
//
//   node dist/bench/event-loop.js [training]
import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { createModel } from '../models/index.js'
import { crossEntropy, Device, loader, openDataset, recipeFor, sgd, type TrainingBatch } from '../ts/index.js'
import { elementCount, tensor } from '../ts/tensor.js'

const SECONDS = 10
const IMAGES = 64

/** A body that is called time and again; `dispose` ends what it began. */
interface Load {
  readonly body: () => Promise<unknown>
  readonly dispose: () => Promise<void>
}

async function percentile99(body: () => Promise<unknown>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  const end = performance.now() + SECONDS * 1000
  while (performance.now() < end) await body()
  histogram.disable()
  return histogram.percentile(99) / 1e6
}

async function inference(device: Device): Promise<Load> {
  const net = await createModel('vgg16').compile(device, { batch: 8 })
  const images = tensor(new Float32Array(elementCount(net.inputShape)).fill(0.5), net.inputShape)
  const dispose = () => {
    net.dispose()
    return Promise.resolve()
  }
  return { body: () => net.predict(images), dispose }
}

async function training(device: Device): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), 'fovea-bench-'))
  await writePhotographs(folder)
  const data = await openDataset(folder, { split: 'train' })
  const model = createModel('resnet18', { classes: data.classes.length })
  const step = await model.compile(device, {
    batch: 16,
    training: { loss: crossEntropy(), optimizer: sgd({ lr: 0.01, momentum: 0.9 }) },
  })
  const { preprocessing } = model.info
  const { transforms } = recipeFor('resnet18')
  const endless = (async function* (): AsyncGenerator<TrainingBatch, void> {
    for (let epoch = 0; epoch < Infinity; epoch++)
      yield* loader(data, { batch: 16, preprocessing, transforms, epoch })
  })()
  return {
    async body() {
      const { value } = await endless.next()
      if (value) await step.run(value.images, value.labels)
    },
    async dispose() {
      await endless.return(undefined)
      step.dispose()
      await rm(folder, { recursive: true })
    },
  }
}

/** JPEGs of a usual size, two classes of noise. */
async function writePhotographs(folder: string): Promise<void> {
  for (const name of ['one', 'other']) {
    await mkdir(join(folder, name))
    const noise = { type: 'gaussian', mean: name === 'one' ? 90 : 160, sigma: 40 } as const
    const image = sharp({ create: { width: 500, height: 375, channels: 3, background: 'grey', noise } })
    const bytes = await image.jpeg().toBuffer()
    for (let i = 0; i < IMAGES / 2; i++) await sharp(bytes).toFile(join(folder, name, `${i}.jpg`))
  }
}

const trains = process.argv.includes('training')
const device = await Device.open('cpu')
const load = await (trains ? training : inference)(device)
await load.body()

let batches = 0
const idle = await percentile99(() => sleep(100))
const busy = await percentile99(async () => {
  await load.body()
  batches++
})
const round = (value: number) => Number(value.toFixed(2))
console.log(
  JSON.stringify({
    what: trains ? 'resnet18 trains, batch 16' : 'vgg16 predicts, batch 8',
    device: device.description,
    seconds: SECONDS,
    batches,
    idleP99Ms: round(idle),
    busyP99Ms: round(busy),
    aboveIdleMs: round(busy - idle),
  }),
)
await load.dispose()
device.close()
