// fovea as a contender, in a process of its own so that its peak memory is its own.
//
//   node dist/bench/workers/fovea.js NETWORK inference|training BATCH THREADS PRECISION [WEIGHTS [CALIBRATION]]
import { createModel, parseModelName } from '../../models/index.js'
import { readFileSync } from 'node:fs'
import { parsePrecision, type InferencePrecision } from '../../ts/compile/precision.js'
import { Device, tensor, type Calibration } from '../../ts/index.js'
import { TRAINING } from '../support/networks.js'
import { samplePixels } from '../../ts/runtime/profile.js'
import { head, serve } from '../support/worker.js'

const [network, mode, batchText, threads, precisionText, weights, calibrationFile] = process.argv.slice(2)
const precision = precisionText as InferencePrecision
const batch = Number(batchText)
const model = createModel(parseModelName(network!))
if (weights !== undefined) await model.load(weights)
const { channels, size } = model.info.input
const shape = [batch, channels, size, size]
const images = tensor(samplePixels(shape), shape)
const device = await Device.open('cpu', { threads: Number(threads) })
const description = `fovea ${precision} on ${device.description}`

if (mode === 'training') {
  const step = await model.compile(device, {
    batch,
    precision: parsePrecision(precision),
    training: TRAINING,
  })
  const labels = Int32Array.from({ length: batch }, (_, i) => (37 * i + 11) % model.info.classes)
  await serve(description, () => step.run(images, labels))
  step.dispose()
} else {
  const calibration =
    calibrationFile === undefined
      ? undefined
      : (JSON.parse(readFileSync(calibrationFile, 'utf8')) as Calibration)
  const net = await model.compile(device, { batch, precision, calibration })
  const { logits } = await net.predict(images)
  await serve(description, () => net.predict(images), head(logits.data))
  net.dispose()
}
device.close()
