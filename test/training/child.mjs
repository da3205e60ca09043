// Trains in a process of its own, which can be killed: node child.mjs <options as JSON>. Prints events as JSON lines.
import { setTimeout } from 'node:timers/promises'
import { ArrayDataset } from '../../dist/ts/data/datasets/dataset.js'
import { MNIST } from '../../dist/ts/data/preprocessing.js'
import { Model, nn, Device } from '../../dist/ts/index.js'
import { train } from '../../dist/ts/train/trainer.js'

const { slow = 0, ...options } = JSON.parse(process.argv[2])
const SIDE = 8

/** Noise, and a bright quarter that tells the class. */
function quarters(count) {
  const data = new Uint8Array(count * SIDE * SIDE)
  const labels = new Uint8Array(count)
  let state = 1
  const below = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  for (let i = 0; i < count; i++) {
    labels[i] = below(4)
    for (let p = 0; p < SIDE * SIDE; p++) {
      const quarter = (p >= 32 ? 2 : 0) + (p % 8 >= 4 ? 1 : 0)
      data[i * SIDE * SIDE + p] = (quarter === labels[i] ? 60 : 0) + below(190)
    }
  }
  const images = { width: SIDE, height: SIDE, channels: 1, data }
  return new ArrayDataset('quarters', ['a', 'b', 'c', 'd'], images, labels)
}

class Tiny extends nn.Network {
  features = nn.sequential(
    nn.conv2d(1, 16, { kernel: 3, padding: 1, bias: false }),
    nn.batchNorm2d(16),
    nn.relu,
    nn.maxPool2d({ kernel: 2 }),
  )
  classifier = nn.sequential(nn.dropout(0.2), nn.linear(256, 4))

  forward(x) {
    return { logits: x.pipe(this.features, nn.flatten, this.classifier) }
  }
}

const model = new Model(new Tiny(), {
  name: 'tiny',
  classes: 4,
  input: { channels: 1, size: SIDE },
  preprocessing: { ...MNIST, size: SIDE, resize: SIDE },
})

/** Steps of a millisecond would be over before anybody can interrupt them. */
const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

try {
  const report = await train({
    model,
    device: await Device.open('cpu', { threads: 2 }),
    train: quarters(80),
    validation: quarters(20),
    ...options,
    onEvent(event) {
      process.stdout.write(`${JSON.stringify(event)}\n`)
      if (event.kind === 'step') wait(slow)
    },
  })
  process.stdout.write(`${JSON.stringify({ kind: 'report', reason: report.reason })}\n`)
} catch (error) {
  // The process lives: a promise, a timer, a computation still work.
  await setTimeout(10)
  const value = (await model.weights.get('classifier.1.bias')).length
  process.stdout.write(
    `${JSON.stringify({ kind: 'error', code: error.code, message: error.message, value })}\n`,
  )
}
