// Trains a small network, and counts right answers of it on the test images.
//
//   train.js lenet5 | resnet20 MODE        with the images in FOVEA_GPU_DATA/mnist or FOVEA_GPU_DATA/cifar10
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createModel } from '../../models/index.js'
import { recipeFor } from '../../models/recipes.js'
import type { Dataset } from '../../ts/data/datasets/dataset.js'
import { openDataset } from '../../ts/data/datasets/open.js'
import { evaluate } from '../../ts/evaluate/index.js'
import { train, type TrainerOptions } from '../../ts/train/trainer.js'
import { deviceOptionsOf, isUnsupported, parseMode, precisionOf } from '../support/mode.js'
import { insistingOn } from '../support/plans.js'
import { report } from '../support/row.js'
import { openTarget, reduced } from '../support/target.js'

const WHAT = {
  lenet5: { data: 'mnist', recipe: 'lenet5', least: 0.989, images: 'train-images-idx3-ubyte' },
  resnet20: { data: 'cifar10', recipe: 'resnet20_fast', least: 0.85, images: 'data_batch_5.bin' },
} as const

/** Images of a rehearsal. */
const FEW = 128

const name = process.argv[2] as keyof typeof WHAT
const mode = parseMode(process.argv[3])
const { data, recipe, least, images: last } = WHAT[name]
const row = { check: 'training', name: `${name} on ${data}`, mode }
const folder = join(process.env.FOVEA_GPU_DATA ?? '', data)

if (!existsSync(join(folder, last)))
  report({ ...row, status: 'skip', note: `no ${last} in ${folder}: bring data-${data}-*.tar.xz along` })
else
  await run().catch((error: unknown) => {
    if (!isUnsupported(error)) throw error
    report({ ...row, status: 'skip', note: (error as Error).message })
  })

async function run(): Promise<void> {
  const device = await openTarget(deviceOptionsOf(mode))
  const [images, digits] = await Promise.all(
    (['train', 'test'] as const).map((split) => openDataset(data, { split, folder }).then(few)),
  )
  const { device: target } = insistingOn(device, mode)
  const model = createModel(name)
  const options: TrainerOptions = {
    model,
    device: target,
    train: images!,
    recipe: recipeFor(name, recipe),
    ...(reduced ? { epochs: 1 } : {}),
    precision: precisionOf(mode),
  }
  const { seconds, epochs } = await train(options)
  const { correct, images: count, top1 } = await evaluate(model, digits!, { device, batch: 100 })
  const enough = reduced || top1 >= least
  report({
    ...row,
    status: enough ? 'pass' : 'fail',
    values: {
      correct,
      count,
      top1,
      epochs: epochs.length,
      seconds: Number(seconds.toFixed(1)),
      files: readdirSync(folder).length,
    },
    note: enough ? '' : `${(100 * top1).toFixed(2)} % are right, ${100 * least} % are wanted`,
  })
  device.close()
}

function few(dataset: Dataset): Dataset {
  if (!reduced) return dataset
  const { name: title, classes } = dataset
  return {
    name: title,
    classes,
    size: FEW,
    label: (index) => dataset.label(index),
    get: (index, preprocessing) => dataset.get(index, preprocessing),
  }
}
