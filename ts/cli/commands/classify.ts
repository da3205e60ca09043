import type { Command } from 'commander'
import type { Classification, Prediction } from '../../evaluate/index.js'
import type { InferencePrecision } from '../../compile/precision.js'
import type { DeviceName } from '../../runtime/device.js'
import { action, command, positiveInteger, type Flags } from '../command.js'
import { calibrated, calibrateOption } from '../calibration.js'
import { deviceOption, inferencePrecisionOption, onDevice } from '../device.js'
import { complain, EXIT, toJson } from '../failure.js'
import { colours, percent, print, printJson, table } from '../output.js'

interface Options extends Flags {
  readonly model?: string
  readonly weights?: string
  readonly top: number
  readonly device: DeviceName
  readonly precision: InferencePrecision
  readonly calibrate?: string
  readonly batch?: number
}

/** `fovea classify` */
export function classifyCommand(): Command {
  return command('classify', 'tell what is on photographs')
    .argument('<image...>', 'JPEG, PNG, WebP, AVIF or GIF files')
    .option('--model <name>', 'network, such as resnet50')
    .option(
      '--weights <file|name>',
      'weights file, or published weights; default: the usual ones of the network',
    )
    .option('--top <n>', 'how many of the likeliest classes to show', positiveInteger, 5)
    .addOption(deviceOption())
    .addOption(inferencePrecisionOption())
    .addOption(calibrateOption())
    .option('--batch <n>', 'images a run, at most', positiveInteger)
    .action(action(classifyImages))
}

async function classifyImages([images]: [string[]], options: Options, signal: AbortSignal): Promise<void> {
  const { model, weights, top, batch, precision, calibrate, json = false } = options
  const { openClassifiers } = await import('../classifiers.js')
  const { classify } = await import('../../evaluate/index.js')
  const choice = { model, weights: weights === undefined ? [] : [weights], signal, quiet: json }
  const [classifier] = await openClassifiers(choice)
  const errors = new Map<string, unknown>()
  const results = await onDevice(options.device, async (device) => {
    const onImageError = (error: Error, image: unknown) => {
      errors.set(image as string, error)
    }
    const ready =
      calibrate === undefined ? classifier! : await calibrated(classifier!, device, calibrate, signal)
    return classify(ready, images, { device, top, batch, precision, signal, onImageError })
  })
  if (json) printJson({ model: classifier!.model.name, results: asJson(images, results, errors) })
  else show(results)
  if (errors.size === 0) return
  process.exitCode = EXIT.failure
  if (!json) for (const error of errors.values()) complain(error)
}

/** Results and errors in the order of the images. */
function asJson(
  images: readonly string[],
  results: readonly Classification[],
  errors: ReadonlyMap<string, unknown>,
): unknown[] {
  const good = results.values()
  return images.map((image) => {
    if (errors.has(image)) return { image, error: toJson(errors.get(image)) }
    const { predictions } = good.next().value!
    return { image, predictions: predictions.map((one) => ({ ...one, label: one.label ?? null })) }
  })
}

function show(results: readonly Classification[]): void {
  const { bold } = colours(process.stdout)
  for (const [i, { image, predictions }] of results.entries()) {
    if (i > 0) print('')
    print(bold(image as string), ...rows(predictions).map((line) => `  ${line}`))
  }
}

function rows(predictions: readonly Prediction[]): string[] {
  return table(
    [{ title: '', align: 'right' }, { title: '' }, { title: '', align: 'right' }],
    predictions.map(({ index, label = '', probability }) => [String(index), label, percent(probability)]),
  )
}
