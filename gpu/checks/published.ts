// Right answers of the published ResNet-20 on the 10,000 test images of CIFAR-10: PyTorch counts 9,173.
//
//   published.js MODE
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createModel } from '../../models/index.js'
import { openDataset } from '../../ts/data/datasets/open.js'
import { evaluate, type EvaluateOptions } from '../../ts/evaluate/index.js'
import { deviceOptionsOf, isUnsupported, parseMode, precisionOf } from '../support/mode.js'
import { insistingOn } from '../support/plans.js'
import { report } from '../support/row.js'
import { openTarget, reduced } from '../support/target.js'

const RIGHT = 9_173
const NEAR = 2
/** Images whose likeliest class lower precision may turn over. */
const NEAR_LOWER = 30

const mode = parseMode(process.argv[2])
const row = { check: 'right answers', name: 'resnet20 as published, cifar10', mode }
const folder = join(process.env.FOVEA_GPU_DATA ?? '', 'cifar10')
if (!existsSync(join(folder, 'test_batch.bin')))
  report({
    ...row,
    status: 'skip',
    note: `no test_batch.bin in ${folder}: bring data-cifar10-*.tar.xz along`,
  })
else
  await run().catch((error: unknown) => {
    if (!isUnsupported(error)) throw error
    report({ ...row, status: 'skip', note: (error as Error).message })
  })

async function run(): Promise<void> {
  const device = await openTarget(deviceOptionsOf(mode))
  const { device: target } = insistingOn(device, mode)
  const model = createModel('resnet20')
  await model.load(
    fileURLToPath(new URL('../../test/data/checkpoints/cifar/resnet20-12fca82f.th', import.meta.url)),
  )
  const options: EvaluateOptions = {
    device: target,
    batch: reduced ? 20 : 100,
    ...(reduced ? { limit: 40 } : {}),
    precision: precisionOf(mode),
  }
  const { correct, images } = await evaluate(
    model,
    await openDataset('cifar10', { split: 'test', folder }),
    options,
  )
  const off = Math.abs(correct - RIGHT)
  const right = reduced ? correct > 0.8 * images : off <= (mode === 'f32' ? NEAR : NEAR_LOWER)
  report({
    ...row,
    status: right ? 'pass' : 'fail',
    values: { correct, images },
    note: right ? '' : `${correct} of ${images} are right, PyTorch counts ${RIGHT}`,
  })
  device.close()
}
