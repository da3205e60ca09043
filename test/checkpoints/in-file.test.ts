import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { createModel } from '../../models/index.js'
import { CheckpointError } from '../../ts/errors.js'
import { Device } from '../../ts/runtime/device.js'
import { crossEntropy } from '../../ts/train/loss.js'
import { sgd } from '../../ts/train/optimizer.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
import { failureOf, temporaryFolder } from './files.js'

// Weights stay in their file: programs read them when they derive what they need, and hold no copy.

const path = join(temporaryFolder(), 'weights.safetensors')
const devices: Device[] = []
afterAll(() => {
  for (const device of devices) device.close()
})

async function open(): Promise<Device> {
  devices.push(await Device.open('cpu', { tuning: 'off' }))
  return devices.at(-1)!
}

const fresh = () => createModel('resnet20')
type Network = ReturnType<typeof fresh>
const images = (batch: number) => fixtureImage('x', [batch, 3, 32, 32], 0, 8)

async function logitsOf(model: Network, device: Device, batch = 1): Promise<Float32Array> {
  using net = await model.compile(device, { batch })
  return (await net.predict(images(batch))).logits.data
}

async function inMemory(): Promise<Network> {
  const model = fresh()
  await setFixtureWeights(model)
  return model
}

async function fromFile(): Promise<Network> {
  const model = fresh()
  await model.load(path)
  return model
}

beforeEach(async () => {
  await (await inMemory()).save(path)
})

test('every program of a loaded model computes what one of weights in memory does, on a second device too', async () => {
  const [device, second] = [await open(), await open()]
  const [loaded, held] = [await fromFile(), await inMemory()]
  for (const batch of [1, 2])
    expect(await logitsOf(loaded, device, batch)).toEqual(await logitsOf(held, device, batch))
  expect(await logitsOf(loaded, second)).toEqual(await logitsOf(held, second))
})

test('a program that has packed its weights leaves the others in the file', async () => {
  const live = async (model: Network) => {
    const device = await open()
    const net = await model.compile(device)
    await net.predict(images(1))
    const bytes = device.memory().live
    net.dispose()
    return bytes
  }
  const saved = (await live(await inMemory())) - (await live(await fromFile()))
  // All but the few that every run reads.
  expect(saved).toBeGreaterThan(0.9 * 4 * fresh().parameterCount)
})

test('the file may be removed once it is loaded', async () => {
  const model = await fromFile()
  rmSync(path)
  const expected = await inMemory()
  expect(await model.weights.get('conv1.weight')).toEqual(await expected.weights.get('conv1.weight'))
  const device = await open()
  for (const batch of [1, 2])
    expect(await logitsOf(model, device, batch)).toEqual(await logitsOf(expected, device, batch))
})

test('a file that is overwritten is refused by name, before and after the first program, which goes on', async () => {
  const [never, compiled] = [await fromFile(), await fromFile()]
  const device = await open()
  using net = await compiled.compile(device)
  const { logits } = await net.predict(images(1))
  writeFileSync(path, 'something else')
  for (const model of [never, compiled]) {
    const error = await failureOf(logitsOf(model, device, 2))
    expect(error).toBeInstanceOf(CheckpointError)
    expect(error).toMatchObject({ code: 'CHECKPOINT_FORMAT', subject: path })
  }
  expect((await net.predict(images(1))).logits.data).toEqual(logits.data)
})

test('values that are set after compiling stay, whatever is read anew beside them', async () => {
  const results = []
  for (const model of [await fromFile(), await inMemory()]) {
    const device = await open()
    using net = await model.compile(device)
    await net.predict(images(1))
    const weight = (await model.weights.get('conv1.weight')).map((value) => 2 * value)
    await model.weights.set('conv1.weight', weight)
    const { logits } = await net.predict(images(1))
    expect(await model.weights.get('conv1.weight')).toEqual(weight)
    results.push([logits.data, await logitsOf(model, device, 2)])
  }
  expect(results[0]).toEqual(results[1])
})

test('training changes weights that came from a file as it does others', async () => {
  const results = []
  for (const model of [await fromFile(), await inMemory()]) {
    const device = await open()
    await logitsOf(model, device)
    const training = { loss: crossEntropy(), optimizer: sgd({ lr: 0.1 }) }
    {
      using step = await model.compile(device, { batch: 2, training })
      for (let i = 0; i < 2; i++) await step.run(images(2), Int32Array.of(1, 2))
    }
    results.push([await model.weights.get('conv1.weight'), await logitsOf(model, device)])
  }
  expect(results[0]).toEqual(results[1])
})
