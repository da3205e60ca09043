// Classifies three photographs with ResNet-50 and its published weights, which the first run fetches.
import { readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { progressBar } from '../ts/cli/progress.js'
import { classify, Device, pretrained } from '../ts/index.js'

const WEIGHTS = 'resnet50.keras_in1k'
const start = performance.now()

const folder = fileURLToPath(new URL('../../examples/photographs/', import.meta.url))
const photographs = (await readdir(folder)).filter((name) => name.endsWith('.png'))

const fetching = progressBar(`fetching ${WEIGHTS}`)
const resnet = await pretrained(WEIGHTS, { onProgress: fetching.onProgress })
fetching.stop()

using device = await Device.open('auto')
console.log(`ResNet-50 on ${device.description}\n`)

const results = await classify(
  resnet,
  photographs.map((name) => folder + name),
  { device, top: 5 },
)
for (const { image, predictions } of results) {
  console.log(basename(image as string))
  for (const { index, label = '', probability } of predictions) {
    // ImageNet's classes have several names; the first is the usual one.
    const name = label.split(',', 1)[0]!
    const percent = (100 * probability).toFixed(1)
    const bar = '█'.repeat(Math.round(30 * probability))
    console.log(
      `  ${String(index).padStart(3)}  ${name.padEnd(22)}  ${percent.padStart(5)} %  ${bar}`.trimEnd(),
    )
  }
  console.log()
}
console.log(`${((performance.now() - start) / 1000).toFixed(1)} s in all`)
