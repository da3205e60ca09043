// Resident memory over many compile/run/dispose cycles: 2,000 of a small network, 200 of ResNet-18. V8's own heap
// settles late, so the part of the resident memory outside it is given too. Prints JSON; run with --expose-gc.
import { Device } from '../ts/runtime/device.js'
import { elementCount, tensor } from '../ts/tensor.js'
import { createModel, type ModelName } from '../models/index.js'

const MIB = 2 ** 20
const device = await Device.open('cpu')

async function cycles(name: ModelName, count: number) {
  const model = createModel(name)
  const samples: { resident: number; outsideHeap: number }[] = []
  const warmup = Math.ceil(count / 10)
  for (let i = 0; i < count; i++) {
    const net = await model.compile(device, { batch: 1 })
    await net.predict(tensor(new Float32Array(elementCount(net.inputShape)), net.inputShape))
    net.dispose()
    if (i >= warmup && (i - warmup) % Math.ceil(count / 20) === 0) {
      globalThis.gc?.()
      const { rss, heapTotal } = process.memoryUsage()
      samples.push({ resident: rss / MIB, outsideHeap: (rss - heapTotal) / MIB })
    }
  }
  const round = (value: number) => Number(value.toFixed(1))
  const growth = (of: 'resident' | 'outsideHeap') => ({
    afterWarmupMiB: round(samples[0]![of]),
    endMiB: round(samples.at(-1)![of]),
    growthMiB: round(samples.at(-1)![of] - samples[0]![of]),
  })
  return {
    network: name,
    cycles: count,
    resident: growth('resident'),
    outsideHeap: growth('outsideHeap'),
    deviceLiveMiB: round(device.memory().live / MIB),
  }
}

console.log(JSON.stringify(await cycles('lenet5', 2000)))
console.log(JSON.stringify(await cycles('resnet18', 200)))
device.close()
