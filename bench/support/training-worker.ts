// The other contender of bench/training.ts, in a process of its own so that its peak memory is its own. Speaks as
// bench/peers/training.py does.
//
//   node dist/bench/support/training-worker.js NETWORK BATCH THREADS
import { createInterface } from 'node:readline'
import { createModel, parseModelName } from '../../models/index.js'
import { crossEntropy, Device, sgd, tensor } from '../../ts/index.js'
import { milliseconds } from './statistics.js'

const [network, batchText, threads] = process.argv.slice(2)
const batch = Number(batchText)
const model = createModel(parseModelName(network!))
const { channels, size } = model.info.input
const device = await Device.open('cpu', { threads: Number(threads) })
const step = await model.compile(device, {
  batch,
  training: { loss: crossEntropy(), optimizer: sgd({ lr: 0.001, momentum: 0.9 }) },
})
const pixels = new Float32Array(batch * channels * size * size).map((_, i) => 1.7 * Math.sin(i * i))
const images = tensor(pixels, [batch, channels, size, size])
const labels = Int32Array.from({ length: batch }, (_, i) => (37 * i + 11) % model.info.classes)

console.log(JSON.stringify({ ready: `fovea on ${device.description}` }))
for await (const line of createInterface({ input: process.stdin })) {
  const times: number[] = []
  for (let i = 0; i < Number(line.split(' ')[1]); i++)
    times.push(await milliseconds(() => step.run(images, labels)))
  // In KiB.
  const { maxRSS } = process.resourceUsage()
  console.log(JSON.stringify({ milliseconds: times, peakMiB: maxRSS / 1024 }))
}
step.dispose()
device.close()
