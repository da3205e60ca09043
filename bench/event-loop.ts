// How long the event loop is held up while VGG-16 computes batches of 8: the 99th percentile of its delay,
// beside an idle process's. Prints JSON.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Device } from '../ts/runtime/device.js'
import { tensor, elementCount } from '../ts/tensor.js'
import { createModel } from '../models/index.js'

const SECONDS = 10

async function percentile99(body: () => Promise<unknown>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  const end = performance.now() + SECONDS * 1000
  while (performance.now() < end) await body()
  histogram.disable()
  return histogram.percentile(99) / 1e6
}

const device = await Device.open('cpu')
const net = await createModel('vgg16').compile(device, { batch: 8 })
const images = tensor(new Float32Array(elementCount(net.inputShape)).fill(0.5), net.inputShape)
await net.predict(images)

let batches = 0
const idle = await percentile99(() => sleep(100))
const busy = await percentile99(async () => {
  await net.predict(images)
  batches++
})
const round = (value: number) => Number(value.toFixed(2))
console.log(
  JSON.stringify({
    device: device.description,
    seconds: SECONDS,
    batches,
    idleP99Ms: round(idle),
    busyP99Ms: round(busy),
    aboveIdleMs: round(busy - idle),
  }),
)
net.dispose()
device.close()
