// TensorFlow.js on WebAssembly as a contender. In Node.js its backend has one thread.
//
//   node dist/bench/workers/tfjs.js NETWORK BATCH WEIGHTS
import { createModel, parseModelName } from '../../models/index.js'
import { openCheckpoint } from '../../ts/io/checkpoint.js'
import { loadPeer } from '../support/peers.js'
import { toTfjs, type Tf } from '../support/tfjs.js'
import { samplePixels } from '../../ts/runtime/profile.js'
import { head, serve } from '../support/worker.js'

const [network, batchText, weights] = process.argv.slice(2)
const batch = Number(batchText)
const model = createModel(parseModelName(network!))
const { version_core: version, ...tf } = loadPeer('@tensorflow/tfjs-core') as Tf & { version_core: string }
loadPeer('@tensorflow/tfjs-backend-wasm')
if (!(await tf.setBackend('wasm'))) throw new Error('TensorFlow.js has no backend "wasm" here')
await tf.ready()

const checkpoint = await openCheckpoint(weights!)
const arrays = new Map<string, Float32Array>()
const graph = model.trace('evaluation', { batch })
for (const name of graph.parameters.keys()) arrays.set(name, await checkpoint.tensors.get(name)!.read())
await checkpoint.close()
const run = toTfjs(tf, graph, (name) => arrays.get(name)!)
arrays.clear()

const { channels, size } = model.info.input
const shape = [batch, channels, size, size]
// Channels last, as its users have images.
const planar = tf.tensor(samplePixels(shape), shape)
const images = (await tf.transpose(planar, [0, 2, 3, 1]).data()).slice()
const predict = async () => {
  const input = tf.tensor(images, [batch, size, size, channels])
  const logits = run(input)
  const data = await logits.data()
  input.dispose()
  logits.dispose()
  return data
}
await serve(`TensorFlow.js ${version} wasm`, predict, head(await predict()))
