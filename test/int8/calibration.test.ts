import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createModel } from '../../models/index.js'
import { calibrate, type Calibration } from '../../ts/model/calibration.js'
import { MagnitudeHistogram } from '../../ts/model/histogram.js'
import { Device } from '../../ts/runtime/device.js'
import { tensor } from '../../ts/tensor.js'
import { addonPath } from '../native/addon.js'
import { fixtureImage, setFixtureWeights } from '../support/fixture-weights.js'
import { int8Missing } from '../support/kernels.js'

let device: Device
beforeAll(async () => {
  device = await Device.open('cpu', { tuning: 'off' })
})
afterAll(() => device.close())

const SHAPE = [2, 3, 32, 32]
const images = fixtureImage('int8', SHAPE)

async function network(seed = 0) {
  const model = createModel('resnet20')
  await setFixtureWeights(model, seed)
  return model
}

describe('a calibration', () => {
  it('is the same as JSON', async () => {
    const model = await network()
    const calibration = await calibrate(model, device, [images])
    const again = JSON.parse(JSON.stringify(calibration)) as Calibration
    expect(again).toEqual(calibration)
    expect(calibration.model).toBe('resnet20')
    expect(calibration.ranges).toHaveProperty('input')
    expect(calibration.ranges).toHaveProperty(['layer1.0.conv1'])
  })

  it('does not depend on how the images are batched, nor on how they come', async () => {
    const model = await network()
    const half = images.data.length / 2
    const one = (i: number) => tensor(images.data.subarray(i * half, (i + 1) * half), [1, ...SHAPE.slice(1)])
    async function* stream() {
      yield await Promise.resolve(one(0))
      yield one(1)
    }
    const [together, apart] = [
      await calibrate(model, device, [images]),
      await calibrate(model, device, stream()),
    ]
    for (const [path, range] of Object.entries(together.ranges))
      expect(apart.ranges[path], path).toBeCloseTo(range, 2)
  })

  it('needs images, and finite ones', async () => {
    const model = await network()
    await expect(calibrate(model, device, [])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'images',
    })
    const broken = tensor(images.data.slice().fill(Number.NaN, 7, 8), SHAPE)
    await expect(calibrate(model, device, [broken])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'input',
    })
  })
})

describe('a network in int8', () => {
  it('names what is wrong with its calibration', async () => {
    const model = await network()
    const calibration = await calibrate(model, device, [images])
    const compile = (given?: Calibration) =>
      model.compile(device, { precision: 'int8', ...(given && { calibration: given }) })
    const fewer = Object.fromEntries(
      Object.entries(calibration.ranges).filter(([path]) => path !== 'layer2.1.conv1'),
    )
    const wrong = { code: 'INVALID_ARGUMENT', subject: 'calibration' }
    await expect(compile()).rejects.toMatchObject(wrong)
    await expect(compile({ ...calibration, ranges: fewer })).rejects.toMatchObject({
      ...wrong,
      expected: "a range for 'layer2.1.conv1'",
    })
    await expect(compile({ ...calibration, model: 'resnet32' })).rejects.toMatchObject({
      ...wrong,
      got: 'network resnet32',
    })
    const stranger = { ...calibration, ranges: { ...calibration.ranges, 'layer9.conv': 1 } }
    await expect(compile(stranger)).rejects.toMatchObject({ ...wrong, got: "one at 'layer9.conv'" })
    const infinite = { ...calibration, ranges: { ...calibration.ranges, conv1: -1 } }
    await expect(compile(infinite)).rejects.toMatchObject({ ...wrong, got: '-1' })
  })

  it('cannot be trained', async () => {
    const model = await network()
    const options = { training: true, precision: 'int8' as 'f32' } as const
    await expect(model.compile(device, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'precision',
      got: 'int8',
    })
  })

  it('follows weights that change', async () => {
    const model = await network()
    const calibration = await calibrate(model, device, [images])
    const options = { batch: 2, precision: 'int8', calibration } as const
    const missing = await int8Missing(model.compile(device, options))
    if (missing) {
      console.log(`changing weights in int8 skipped: ${missing}`)
      return
    }
    using program = await model.compile(device, options)
    const before = (await program.predict(images)).logits
    await setFixtureWeights(model, 1)
    const after = (await program.predict(images)).logits
    const other = await network(1)
    using fresh = await other.compile(device, options)
    expect(after.data).toEqual((await fresh.predict(images)).logits.data)
    expect(after.data).not.toEqual(before.data)
  })

  it('needs a processor with VNNI, and says so', () => {
    const attributes = {
      stride: [1, 1],
      padding: [0, 0, 0, 0],
      dilation: [1, 1],
      groups: 1,
      activation: 'none',
      residualFactor: 1,
    }
    const plan = {
      buffers: [
        { dtype: 'u8', shape: [1, 4, 3, 3] },
        { dtype: 's8', shape: [4, 4, 1, 1] },
        { dtype: 'f32', shape: [4] },
        { dtype: 'f32', shape: [4] },
        { dtype: 'f32', shape: [4, 4, 1, 1] },
        { dtype: 'f32', shape: [1, 4, 3, 3] },
      ],
      instructions: [
        {
          op: 'quantizeWeights',
          inputs: [4, -1],
          outputs: [1, 2, 3],
          attributes: { inputScale: 1, outputScale: 1 },
          path: 'weights',
        },
        { op: 'quantizedConvolution', inputs: [0, 1, 2, 3, -1], outputs: [5], attributes, path: 'conv' },
      ],
      phases: [
        { name: 'constants', begin: 0, end: 1 },
        { name: 'forward', begin: 1, end: 2 },
      ],
      inputs: [{ name: 'x', buffer: 0 }],
      outputs: [{ name: 'y', buffer: 5 }],
      parameters: [{ name: 'w', buffer: 4, updated: false }],
    }
    const script = `
      const addon = require(${JSON.stringify(addonPath)})
      const device = addon.openDevice('cpu', {})
      const store = device.createStore()
      store.define('w', 'f32', [4, 4, 1, 1], new Float32Array(16))
      device.compile(${JSON.stringify(plan)}, store).then(
        () => console.log('compiled'), ({ code, message }) => console.log(code, message))`
    const { stdout } = spawnSync(process.execPath, ['--eval', script], {
      encoding: 'utf8',
      env: { ...process.env, ONEDNN_MAX_CPU_ISA: 'AVX512_CORE' },
    })
    expect(stdout).toContain('UNSUPPORTED')
    expect(stdout).toContain('int8 needs a processor with AVX512_VNNI or AVX_VNNI')
  })
})

describe('a histogram of magnitudes', () => {
  it('finds quantiles to a two-thousandth of the largest, whatever the order', () => {
    const values = Float32Array.from({ length: 10_000 }, (_, i) => (i % 2 === 0 ? i + 1 : -i - 1))
    for (const order of [values, values.toReversed()]) {
      const histogram = new MagnitudeHistogram('x')
      for (let i = 0; i < order.length; i += 1000) histogram.add(order.subarray(i, i + 1000))
      expect(Math.abs(histogram.quantile(0.5) - 5000)).toBeLessThan(5)
      expect(Math.abs(histogram.quantile(0.999) - 9990)).toBeLessThan(5)
      expect(histogram.quantile(1)).toBe(10_000)
    }
  })

  it('is zero where all is', () => {
    const histogram = new MagnitudeHistogram('x')
    histogram.add(new Float32Array(8))
    expect(histogram.quantile(0.99999)).toBe(0)
  })
})
