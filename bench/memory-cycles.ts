// Resident memory over many compile/run/dispose cycles: 2,000 of a small network, 200 of ResNet-18. Prints JSON.
// Run with --expose-gc.
import { Device } from '../ts/runtime/device.js'
import { elementCount, tensor } from '../ts/tensor.js'
import { createModel, type ModelName } from '../models/index.js'

const MIB = 2 ** 20
const device = await Device.open('cpu')

async function cycles(name: ModelName, count: number) {
  const model = createModel(name)
  const samples: number[] = []
  const warmup = Math.ceil(count / 10)
  for (let i = 0; i < count; i++) {
    const net = await model.compile(device, { batch: 1 })
    await net.predict(tensor(new Float32Array(elementCount(net.inputShape)), net.inputShape))
    net.dispose()
    if (i >= warmup && (i - warmup) % Math.ceil(count / 20) === 0) {
      globalThis.gc?.()
      samples.push(process.memoryUsage.rss() / MIB)
    }
  }
  const round = (value: number) => Number(value.toFixed(1))
  return {
    network: name,
    cycles: count,
    afterWarmupMiB: round(samples[0]!),
    endMiB: round(samples.at(-1)!),
    growthMiB: round(samples.at(-1)! - samples[0]!),
    deviceLiveMiB: round(device.memory().live / MIB),
    samplesMiB: samples.map(round),
  }
}

console.log(JSON.stringify(await cycles('lenet5', 2000)))
console.log(JSON.stringify(await cycles('resnet18', 200)))
device.close()
