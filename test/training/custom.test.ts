import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createModel,
  crossEntropy,
  type Device,
  Model,
  nn,
  sgd,
  tensor,
  type Loss,
  type Tensor,
} from '../../ts/index.js'
import { MNIST } from '../../ts/data/preprocessing.js'
import { drawn } from '../support/gradients.js'
import { openTestDevice } from '../support/device.js'

// What users write: a block, a network and a loss of their own, from operations that are there.

/** A branch beside a gate, which a single number that is learnt makes weaker or stronger. */
class Gated extends nn.Module {
  readonly branch: nn.Conv2d
  readonly gate: nn.Conv2d
  readonly strength = new nn.Parameter([1], 'coefficient', nn.initializers.constant(0.5))

  constructor(private readonly width: number) {
    super()
    this.branch = nn.conv2d(width, width, { padding: 1 })
    this.gate = nn.conv2d(width, width, { kernel: 1 })
  }

  override forward(x: nn.Value): nn.Value {
    // The same number for every channel: its gradient is the sum of theirs.
    const one = nn.reshape(x.graph.parameter(this.strength), [1, 1, 1, 1])
    const strength = nn.reshape(nn.concat(Array.from({ length: this.width }, () => one)), [this.width])
    const gated = nn.scaleChannels(nn.sigmoid(this.gate.call(x)), strength)
    return nn.relu(nn.add(nn.tanh(this.branch.call(x)), gated))
  }
}

class Small extends nn.Network {
  readonly body = nn.sequential(
    nn.conv2d(1, 6, { kernel: 3, stride: 2 }),
    nn.batchNorm2d(6),
    new Gated(6),
    nn.maxPool2d({ kernel: 2 }),
    nn.dropout(0.1),
  )
  readonly head = nn.linear(6 * 9, 4)

  override forward(x: nn.Value) {
    return { logits: x.pipe(this.body, nn.flatten, this.head) }
  }
}

const small = () =>
  new Model(new Small(), {
    name: 'small',
    classes: 4,
    input: { channels: 1, size: 14 },
    preprocessing: MNIST,
  })

/**
 * The Brier score, the squared error of probabilities: what a loss computes from an output may be any operations,
 * and the gradient goes back through them.
 */
const brier: Loss = {
  labels: 'arrays',
  record(outputs, labels) {
    const probabilities = nn.softmax(outputs.get('logits')!)
    const [loss, gradient] = probabilities.graph.add(
      'meanSquaredError',
      [probabilities, labels],
      { weight: 1 },
      [{ shape: [1], dtype: 'f32' }, probabilities],
    )
    return { loss: loss!, gradients: new Map([[probabilities, gradient!]]) }
  },
}

const images = tensor(drawn('images', [8, 1, 14, 14]), [8, 1, 14, 14])

/** One-hot rows: the quarter of the image that is brightest. */
function brightest({ data }: Tensor): Tensor {
  const rows = new Float32Array(8 * 4)
  for (let n = 0; n < 8; n++) {
    const sums = [0, 0, 0, 0]
    for (let i = 0; i < 196; i++) {
      const quarter = 2 * Number(i >= 98) + Number(i % 14 >= 7)
      sums[quarter]! += data[n * 196 + i]!
    }
    rows[n * 4 + sums.indexOf(Math.max(...sums))] = 1
  }
  return tensor(rows, [8, 4])
}

let device: Device
beforeAll(async () => {
  device = await openTestDevice()
})
afterAll(() => device.close())

describe('a block and a loss of one’s own', () => {
  test('train', async () => {
    const model = small()
    const before = await model.weights.get('body.2.strength')
    using step = await model.compile(device, {
      batch: 8,
      training: { loss: brier, optimizer: sgd({ lr: 0.5, momentum: 0.9 }) },
    })
    const losses: number[] = []
    for (let i = 0; i < 60; i++) losses.push((await step.run(images, brightest(images))).loss)
    expect(losses[0]).toBeGreaterThan(0.1)
    expect(losses.at(-1)).toBeLessThan(0.02)
    expect(await model.weights.get('body.2.strength')).not.toEqual(before)
  })

  test('are recorded under their own names', async () => {
    const model = small()
    expect(model.parameters.map(({ name }) => name).filter((name) => name.startsWith('body.2'))).toEqual([
      'body.2.branch.weight',
      'body.2.branch.bias',
      'body.2.gate.weight',
      'body.2.gate.bias',
      'body.2.strength',
    ])
    using step = await model.compile(device, {
      batch: 8,
      training: { loss: brier, optimizer: sgd({ lr: 1 }) },
    })
    expect(step.describe().map(({ path }) => path)).toContain('body.2.branch')
  })
})

test('forward and backward by hand: a loss in user code gives the gradient of the logits', async () => {
  const model = small()
  using program = await model.compile(device, { batch: 8, training: true })
  const targets = brightest(images)
  const { output, backward } = await program.forward(images)
  // (logits - targets)^2, by hand.
  const gradient = output.logits.data.map((value, i) => 2 * (value - targets.data[i]!))
  const { parameters, input } = await backward({ logits: tensor(gradient, [8, 4]) })
  const expected = [0, 1, 2, 3].map((k) => {
    let total = 0
    for (let n = 0; n < 8; n++) total += gradient[n * 4 + k]!
    return total
  })
  parameters['head.bias']!.data.forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 4))
  expect(input!.shape).toEqual([8, 1, 14, 14])
  expect(Object.keys(parameters).sort()).toEqual(
    model.parameters
      .filter(({ trainable }) => trainable)
      .map(({ name }) => name)
      .sort(),
  )
})

test('nothing to train is said when it is compiled', async () => {
  const model = createModel('lenet5')
  const training = { loss: crossEntropy(), optimizer: sgd({ lr: 0.1 }), freeze: [/./] }
  await expect(model.compile(device, { training })).rejects.toThrow(
    'lenet5 has nothing to train: every parameter is frozen',
  )
  await expect(
    model.compile(device, { training: true, freeze: [/./], inputGradient: false }),
  ).rejects.toThrow('lenet5: no gradient is asked for')
})
