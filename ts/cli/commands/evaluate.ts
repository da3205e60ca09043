import { InvalidArgumentError as BadValue, type Command } from 'commander'
import type { InferencePrecision } from '../../compile/precision.js'
import type { CropCount } from '../../data/crops.js'
import type { DeviceName } from '../../runtime/device.js'
import { action, collect, command, positiveInteger, type Flags } from '../command.js'
import { countBar } from '../count-bar.js'
import { calibrated, calibrateOption } from '../calibration.js'
import { deviceOption, inferencePrecisionOption, onDevice } from '../device.js'
import { count, percent, print, printJson } from '../output.js'

interface Options extends Flags {
  readonly model?: string
  readonly weights?: readonly string[]
  readonly data: string
  readonly folder?: string
  readonly crops: CropCount
  readonly device: DeviceName
  readonly precision: InferencePrecision
  readonly calibrate?: string
  readonly batch?: number
  readonly limit?: number
}

/** `fovea evaluate` */
export function evaluateCommand(): Command {
  return command('evaluate', 'count the right answers on a data set')
    .option('--model <name>', 'network, such as resnet50')
    .option('--weights <file|name>', 'weights file, or published weights; several are averaged', collect)
    .requiredOption(
      '--data <name|folder>',
      'cifar10, mnist, fashion-mnist, or a folder with one folder a class',
    )
    .option('--folder <path>', 'where the files of a named data set lie already')
    .option('--crops <n>', "crops an image: 1, AlexNet's 10 or GoogLeNet's 144", cropCount, 1)
    .addOption(deviceOption())
    .addOption(inferencePrecisionOption())
    .addOption(calibrateOption())
    .option('--batch <n>', 'crops a run, at most', positiveInteger)
    .option('--limit <n>', 'only the first n images', positiveInteger)
    .action(action(evaluateDataset))
}

function cropCount(text: string): CropCount {
  const crops = ([1, 10, 144] as const).find((known) => String(known) === text)
  if (crops === undefined) throw new BadValue('It must be 1, 10 or 144.')
  return crops
}

async function evaluateDataset(_: [], options: Options, signal: AbortSignal): Promise<void> {
  const {
    model,
    weights = [],
    data,
    folder,
    crops,
    batch,
    limit,
    precision,
    calibrate,
    json = false,
  } = options
  const { openClassifiers } = await import('../classifiers.js')
  const { openData } = await import('../datasets.js')
  const { evaluate } = await import('../../evaluate/index.js')
  const dataset = await openData(data, { signal, quiet: json, folder })
  const classifiers = await openClassifiers({ model, weights, signal, quiet: json })
  const names = classifiers.map((classifier) => classifier.model.name)
  const bar = await countBar(`${names.join(' + ')} on ${dataset.name}`)
  let description = ''
  try {
    const { onProgress } = bar
    const evaluation = await onDevice(options.device, async (device) => {
      description = device.description
      const ready =
        calibrate === undefined
          ? classifiers
          : await Promise.all(classifiers.map((one) => calibrated(one, device, calibrate, signal)))
      return evaluate(ready, dataset, { precision, device, batch, crops, limit, onProgress, signal })
    })
    bar.stop()
    const { images, correct, top1, top5, seconds } = evaluation
    const speed = images / seconds
    if (json) {
      const what = { models: names, data: dataset.name, crops, precision, device: description }
      printJson({ ...what, images, correct, top1, top5, seconds, imagesPerSecond: speed })
      return
    }
    print(`${names.join(' + ')} on ${dataset.name}, ${crops === 1 ? 'one crop' : `${crops} crops`} an image`)
    print(`top-1  ${percent(top1, 2)}  (${count(correct)} of ${count(images)})`, `top-5  ${percent(top5, 2)}`)
    print(`${count(speed)} images a second on ${description}`)
  } finally {
    bar.stop()
  }
}
