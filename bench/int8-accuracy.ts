// What eight bits cost in accuracy, with published weights on real images: for bf16 and for int8, how often the likeliest
// class is the right one and that of f32, and how far the logits are from f32's, relative. ResNets on the test images of
// CIFAR-10, calibrated on 512 training images; ResNet-50 on crops of three photographs, calibrated on others of them.
// Prints a line of JSON a network and precision.
//
//   node dist/bench/int8-accuracy.js [--threads 2]
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loadWeightsFile, pretrained } from '../models/pretrained.js'
import { toTensor, type Image } from '../ts/data/image.js'
import type { Preprocessing } from '../ts/data/preprocessing.js'
import { chunks } from '../ts/evaluate/ahead.js'
import { calibrate, Device, openDataset, type InferencePrecision, type Tensor } from '../ts/index.js'
import { digits, say } from './support/results.js'
import { crops } from './support/crops.js'

const { threads } = parseArgs({
  options: { threads: { type: 'string', default: String(availableParallelism()) } },
}).values

const BATCH = 64
const root = fileURLToPath(new URL('../../', import.meta.url))
type Pretrained = Awaited<ReturnType<typeof pretrained>>

function batches(images: readonly Image[], preprocessing: Preprocessing, size: number): Tensor[] {
  return [...chunks(images, size)].map((chunk) => toTensor(chunk, preprocessing))
}

async function cifar(split: 'train' | 'test', count: number, preprocessing: Preprocessing) {
  const set = await openDataset('cifar10', { split })
  const images: Image[] = []
  for (let i = 0; i < count; i++) images.push((await set.get(i, preprocessing)).image)
  return { images, labels: images.map((_, i) => set.label(i)) }
}

function likeliest(logits: Float32Array): number {
  return logits.indexOf(Math.max(...logits))
}

async function compare(
  device: Device,
  network: string,
  { model, preprocessing }: Pick<Pretrained, 'model' | 'preprocessing'>,
  seen: readonly Image[],
  { images, labels }: { readonly images: readonly Image[]; readonly labels?: readonly number[] },
): Promise<void> {
  const batch = Math.min(BATCH, images.length)
  const calibration = await calibrate(model, device, batches(seen, preprocessing, 8))
  const logitsIn = async (precision: InferencePrecision) => {
    const size = toTensor(images.slice(0, 1), preprocessing).shape[2]!
    using net = await model.compile(device, { batch, size, precision, calibration })
    const rows: Float32Array[] = []
    for (const part of batches(images, preprocessing, batch)) {
      const { shape, data } = (await net.predict(part)).logits
      for (let i = 0; i < shape[0]!; i++) rows.push(data.slice(i * shape[1]!, (i + 1) * shape[1]!))
    }
    return rows
  }
  const exact = await logitsIn('f32')
  for (const precision of ['f32', 'bf16', 'int8'] as const) {
    const rows = await logitsIn(precision)
    const right = labels && rows.filter((row, i) => likeliest(row) === labels[i]).length
    const likeF32 = rows.filter((row, i) => likeliest(row) === likeliest(exact[i]!)).length
    const difference = Math.hypot(
      ...rows.map((row, i) => Math.hypot(...row.map((y, k) => y - exact[i]![k]!))),
    )
    const distance = difference / Math.hypot(...exact.map((row) => Math.hypot(...row)))
    say({
      network,
      precision,
      images: images.length,
      right: right ?? null,
      likeF32,
      distance: digits(distance),
    })
  }
}

using device = await Device.open('cpu', { threads: Number(threads) })
for (const [name, file] of [
  ['resnet20', 'resnet20-12fca82f.th'],
  ['resnet32', 'resnet32-d509ac18.th'],
] as const) {
  const loaded = await loadWeightsFile(name, `${root}test/data/checkpoints/cifar/${file}`)
  const { images } = await cifar('train', 512, loaded.preprocessing)
  await compare(device, name, loaded, images, await cifar('test', 10_000, loaded.preprocessing))
}
const resnet50 = await pretrained('resnet50.keras_in1k')
const photographs = ['chelsea', 'coffee', 'red_panda'].map(
  (name) => `${root}examples/photographs/${name}.png`,
)
const [seen, unseen] = [
  await crops(photographs, 48, resnet50.preprocessing, 1),
  await crops(photographs, 192, resnet50.preprocessing, 2),
]
await compare(device, 'resnet50', resnet50, seen, { images: unseen })
