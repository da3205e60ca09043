// Time of one inference beside onnxruntime-node on the same network, weights, image and thread count, in turn in
// one process. Prints a line of JSON a network and batch: milliseconds (quartiles) and the paired ratio
// onnxruntime / fovea, above 1 where fovea is faster.
//
//   node dist/bench/inference.js [--batch 1,8] [--threads 2] [--rounds 15] [NETWORK ...]
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createModel, type ModelName } from '../models/index.js'
import { Device } from '../ts/runtime/device.js'
import { elementCount, tensor } from '../ts/tensor.js'
import { toOnnx } from './support/onnx.js'
import { interleaved, quartiles } from './support/statistics.js'

interface OrtTensor {
  readonly data: Float32Array
}
interface Ort {
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{
      readonly outputNames: readonly string[]
      run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>
      release(): Promise<void>
    }>
  }
}

function loadOnnxRuntime(): Ort {
  const folder = join(process.cwd(), 'bench/peers')
  if (!existsSync(join(folder, 'node_modules/onnxruntime-node')))
    spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: 'inherit',
    })
  return createRequire(join(folder, 'package.json'))('onnxruntime-node') as Ort
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '15' },
  },
})
const threads = Number(values.threads)
const ort = loadOnnxRuntime()
const device = await Device.open('cpu', { threads })

for (const name of (positionals.length > 0 ? positionals : ['resnet50']) as ModelName[])
  for (const batch of values.batch.split(',').map(Number)) {
    const model = createModel(name)
    const net = await model.compile(device, { batch })
    const pixels = new Float32Array(elementCount(net.inputShape)).map((_, i) => Math.sin(i))
    const images = tensor(pixels, net.inputShape)
    const session = await ort.InferenceSession.create(await toOnnx(model, batch), {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
    })
    const feeds = { input: new ort.Tensor('float32', pixels, net.inputShape) }

    const expected = Object.values(await session.run(feeds))[0]!.data
    const got = (await net.predict(images)).logits.data
    const times = await interleaved(
      { fovea: () => net.predict(images), onnxruntime: () => session.run(feeds) },
      { rounds: Number(values.rounds), calls: batch === 1 ? 10 : 3 },
    )
    const ratios = times.onnxruntime.map((time, i) => time / times.fovea[i]!)
    console.log(
      JSON.stringify({
        network: name,
        batch,
        threads,
        foveaMs: rounded(quartiles(times.fovea)),
        onnxruntimeMs: rounded(quartiles(times.onnxruntime)),
        ratio: rounded(quartiles(ratios)),
        difference: Number(relativeError(got, expected).toPrecision(2)),
      }),
    )
    net.dispose()
    await session.release()
  }
device.close()

function rounded(numbers: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [name, Number((value as number).toFixed(3))]),
  )
}

function relativeError(got: Float32Array, expected: Float32Array): number {
  let error = 0
  let norm = 0
  for (let i = 0; i < expected.length; i++) {
    error += (got[i]! - expected[i]!) ** 2
    norm += expected[i]! ** 2
  }
  return Math.sqrt(error / norm)
}
