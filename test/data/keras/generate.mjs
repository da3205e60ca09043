// Small networks made, saved and evaluated by TensorFlow.js itself, which writes Keras 2 topologies.
//
//     npm install --ignore-scripts @tensorflow/tfjs@4.22.0     (in another folder)
//     node generate.mjs FOLDER/node_modules/@tensorflow/tfjs/dist/tf.node.js
//
// Files as generate.py describes them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const tf = createRequire(import.meta.url)(resolve(process.argv[2]))
const L = tf.layers

const images = (shape) => {
  const count = shape.reduce((a, b) => a * b, 1)
  return tf.tensor(Float32Array.from({ length: count }, (_, i) => ((i * 37) % 101) / 50 - 1), shape)
}

function random(seed) {
  let state = seed
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state / 2147483648
  }
}

async function write(name, model, logits) {
  const next = random(name.length)
  for (const weight of model.weights) {
    const count = weight.shape.reduce((a, b) => a * b, 1)
    const fan = Math.sqrt(weight.shape.slice(0, -1).reduce((a, b) => a * b, 1))
    const value = () => {
      if (/moving_variance|gamma/.test(weight.name)) return 0.5 + next()
      return weight.shape.length === 1 ? next() * 0.6 - 0.3 : ((next() * 2 - 1) * 2.4) / fan
    }
    weight.write(tf.tensor(Float32Array.from({ length: count }, value), weight.shape))
  }
  const folder = new URL(`${name}/`, import.meta.url)
  mkdirSync(folder, { recursive: true })
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData, format, generatedBy }) => {
      const document = {
        format,
        generatedBy,
        convertedBy: null,
        modelTopology,
        weightsManifest: [{ paths: ['group1-shard1of1.bin'], weights: weightSpecs }],
      }
      writeFileSync(new URL('model.json', folder), JSON.stringify(document))
      writeFileSync(new URL('group1-shard1of1.bin', folder), Buffer.from(weightData))
      return { modelArtifactsInfo: {} }
    }),
  )
  const x = images([2, ...model.inputs[0].shape.slice(1)])
  const expected = {
    input: x.shape,
    logits: tf.model({ inputs: model.inputs, outputs: logits }).predict(x).arraySync(),
    output: model.predict(x).arraySync(),
  }
  writeFileSync(new URL('expected.json', folder), JSON.stringify(expected))
  console.log(name, x.shape, expected.logits[0])
}

// Uneven padding, branches, a model within the model.
{
  const image = tf.input({ shape: [9, 9, 3], name: 'image' })
  const conv = (filters, kernelSize, more) => L.conv2d({ filters, kernelSize, ...more })
  let x = conv(6, 4, { strides: 2, padding: 'same', name: 'conv1', useBias: false }).apply(image)
  x = L.batchNormalization({ name: 'bn1', epsilon: 1e-2 }).apply(x)
  x = L.activation({ activation: 'relu', name: 'relu1' }).apply(x)
  const a = conv(4, [1, 3], { padding: 'same', name: 'a' }).apply(x)
  const b = L.averagePooling2d({ poolSize: 3, strides: 1, padding: 'same', name: 'b' }).apply(x)
  const inner = tf.input({ shape: [5, 5, 6], name: 'inner_in' })
  const squeezed = conv(2, 1, { activation: 'sigmoid', name: 'squeeze' }).apply(inner)
  const nested = tf.model({ inputs: inner, outputs: squeezed, name: 'nested' })
  const c = L.depthwiseConv2d({ kernelSize: 2, padding: 'same', depthMultiplier: 2, name: 'c' }).apply(x)
  const d = L.separableConv2d({ filters: 3, kernelSize: 3, padding: 'same', name: 'd' }).apply(x)
  x = L.concatenate({ name: 'join' }).apply([a, b, c, d, nested.apply(x)])
  x = L.maxPooling2d({ poolSize: 2, strides: 2, padding: 'same', name: 'pool' }).apply(x)
  x = L.zeroPadding2d({ padding: [[1, 0], [0, 2]], name: 'pad' }).apply(x)
  x = L.flatten({ name: 'flat' }).apply(x)
  x = L.dense({ units: 7, activation: 'relu', name: 'hidden' }).apply(x)
  const scores = L.dense({ units: 4, name: 'scores' }).apply(x)
  const model = tf.model({ inputs: image, outputs: L.softmax({ name: 'softmax' }).apply(scores), name: 'tfjs_branches' })
  await write('tfjs_branches', model, scores)
}

// Sequential, from grey images without a channel.
{
  const model = tf.sequential({ name: 'tfjs_sequential' })
  model.add(L.reshape({ targetShape: [6, 6, 1], inputShape: [6, 6], name: 'reshape' }))
  model.add(L.conv2d({ filters: 3, kernelSize: 3, activation: 'tanh', name: 'conv1' }))
  model.add(L.maxPooling2d({ poolSize: 2, name: 'pool1' }))
  model.add(L.flatten({ name: 'flat' }))
  model.add(L.batchNormalization({ name: 'bn' }))
  model.add(L.dropout({ rate: 0.3, name: 'dropout' }))
  model.add(L.dense({ units: 5, name: 'scores' }))
  model.add(L.activation({ activation: 'softmax', name: 'softmax' }))
  await write('tfjs_sequential', model, model.layers.at(-2).output)
}
