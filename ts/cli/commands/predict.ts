import type { Command } from 'commander'
import type { DeviceName } from '../../runtime/device.js'
import { formatShape } from '../../tensor.js'
import { action, command, positiveInteger, type Flags } from '../command.js'
import { countBar } from '../count-bar.js'
import { deviceOption, onDevice } from '../device.js'
import { print, printJson } from '../output.js'

interface Options extends Flags {
  readonly model?: string
  readonly weights: string
  readonly input: string
  readonly output: string
  readonly device: DeviceName
  readonly batch?: number
}

/** `fovea predict` */
export function predictCommand(): Command {
  return command('predict', 'run a network on a NumPy array of normalised images')
    .option('--model <name>', 'network, such as resnet50')
    .requiredOption('--weights <file|name>', 'weights file, or published weights')
    .requiredOption('--input <x.npy>', 'float32 images [N, C, H, W]')
    .requiredOption('--output <y.npy>', 'where to write the float32 logits [N, classes]')
    .addOption(deviceOption())
    .option('--batch <n>', 'images a run, at most', positiveInteger)
    .action(action(predictArray))
}

async function predictArray(_: [], options: Options, signal: AbortSignal): Promise<void> {
  const { model, weights, input, output, batch, json = false } = options
  const { openClassifiers } = await import('../classifiers.js')
  const { predict } = await import('../../evaluate/index.js')
  const { readNpy, writeNpy } = await import('../../io/npy.js')
  const images = await readNpy(input)
  const [classifier] = await openClassifiers({ model, weights: [weights], signal, quiet: json })
  const bar = await countBar('predicting')
  try {
    const { onProgress } = bar
    const logits = await onDevice(options.device, (device) =>
      predict(classifier!.model, images, { device, batch, signal, onProgress }),
    )
    await writeNpy(output, logits)
    bar.stop()
    if (json) printJson({ model: classifier!.model.name, input, output, shape: logits.shape })
    else print(`${output}: logits ${formatShape(logits.shape)}`)
  } finally {
    bar.stop()
  }
}
