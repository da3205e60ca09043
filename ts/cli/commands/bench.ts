import { InvalidArgumentError as BadValue, type Command } from 'commander'
import { availableParallelism, cpus, release, type } from 'node:os'
import type { InferencePrecision } from '../../compile/precision.js'
import type { ModelName } from '../../../models/index.js'
import type { Speed } from '../../profile/index.js'
import type { Device, DeviceName } from '../../runtime/device.js'
import { action, command, positiveInteger, positiveNumber, type Flags } from '../command.js'
import { uncalibrated } from '../calibration.js'
import { deviceOption, inferencePrecisionOption, onDevice } from '../device.js'
import { colours, count, print, printJson } from '../output.js'

interface Options extends Flags {
  readonly batch: readonly number[]
  readonly training?: true
  readonly seconds: number
  readonly threads?: number
  readonly precision: InferencePrecision
  readonly device: DeviceName
}

const USUAL: readonly ModelName[] = [
  'alexnet',
  'vgg16',
  'googlenet',
  'inception_v3',
  'resnet18',
  'resnet50',
  'densenet121',
]

/** `fovea bench` */
export function benchCommand(): Command {
  return command('bench', 'measure how fast this machine runs networks')
    .argument('[name...]', `networks; default: ${USUAL.join(', ')}`)
    .option('--batch <list>', 'images a run, such as 1,8', batchList, [1, 8])
    .option('--training', 'whole training steps instead of inference')
    .option('--seconds <n>', 'time for each, at least', positiveNumber, 2)
    .option('--threads <n>', 'threads of the CPU; default: one a core', positiveInteger)
    .addOption(inferencePrecisionOption())
    .addOption(deviceOption())
    .action(action(benchNetworks))
}

function batchList(text: string): readonly number[] {
  const sizes = text.split(',').map(Number)
  if (!sizes.every((size) => Number.isInteger(size) && size > 0))
    throw new BadValue('It must be a list of positive integers, such as 1,8.')
  return sizes
}

/** How fast one network runs on batches of one size. */
interface Result extends Speed {
  readonly network: string
  readonly mode: 'inference' | 'training'
  readonly precision: InferencePrecision
  readonly batch: number
  readonly imagesPerSecond: number
  /** Of device memory beside the weights. */
  readonly arenaBytes: number
}

async function benchNetworks([names]: [string[]], options: Options, signal: AbortSignal): Promise<void> {
  const { parseModelName } = await import('../../../models/index.js')
  const { batch, device: where, threads, json } = options
  const networks = names.length > 0 ? names.map(parseModelName) : USUAL
  const work = async (device: Device) => {
    const system = systemOf(device)
    const { bold } = colours(process.stdout)
    if (!json) print(...Object.values(system), '', bold(heading()))
    const results: Result[] = []
    for (const network of networks)
      for (const size of batch) {
        results.push(await measure(device, network, size, options, signal))
        if (!json) print(line(results.at(-1)!))
      }
    if (json) printJson({ ...system, results })
  }
  await onDevice(where, work, threads === undefined ? {} : { threads })
}

/** What the figures hold for. */
function systemOf(device: Device) {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  return {
    device: device.description,
    processor: `${model}, ${count(availableParallelism())} cores`,
    system: `${type()} ${release().split('.', 2).join('.')}, Node.js ${process.version}`,
  }
}

async function measure(
  device: Device,
  network: ModelName,
  batch: number,
  { training, precision, seconds }: Options,
  signal: AbortSignal,
): Promise<Result> {
  const { createModel } = await import('../../../models/index.js')
  const { crossEntropy } = await import('../../train/loss.js')
  const { sgd } = await import('../../train/optimizer.js')
  const { speedOf } = await import('../../profile/index.js')
  const { parsePrecision } = await import('../../compile/precision.js')
  const { tensor } = await import('../../tensor.js')
  const model = createModel(network)
  const { channels, size } = model.info.input
  const shape = [batch, channels, size, size]
  const images = tensor(
    new Float32Array(batch * channels * size * size).map((_, i) => Math.sin(i)),
    shape,
  )
  const labels = new Int32Array(batch)
  const timed = async (call: () => Promise<unknown>, arenaBytes: number): Promise<Result> => {
    const speed = await speedOf(call, { seconds })
    const mode = training ? 'training' : 'inference'
    const imagesPerSecond = (1000 * batch) / speed.milliseconds.median
    return { network, mode, precision, batch, ...speed, imagesPerSecond, arenaBytes }
  }
  if (training) {
    const settings = { loss: crossEntropy(), optimizer: sgd({ lr: 0.001, momentum: 0.9 }) }
    const typed = { batch, precision: parsePrecision(precision) }
    using step = await model.compile(device, { ...typed, training: settings, signal })
    return await timed(() => step.run(images, labels, { signal }), step.arenaBytes)
  }
  const numbers = await uncalibrated(model, device, precision)
  using net = await model.compile(device, { batch, ...numbers, signal })
  return await timed(() => net.predict(images, { signal }), net.arenaBytes)
}

/** Lines come as they are measured, so the widths are fixed. */
const COLUMNS = [20, 6, 10, 24, 14, 14]

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(COLUMNS[i]!) : cell.padStart(COLUMNS[i]!))).join('')
}

/** The titles of what {@link line} shows. */
const heading = () => row(['network', 'batch', 'ms', 'quartiles', 'images/s', 'MiB'])

function line({ network, batch, milliseconds, imagesPerSecond, arenaBytes }: Result): string {
  const { low, median, high } = milliseconds
  return row([
    network,
    String(batch),
    median.toFixed(2),
    `${low.toFixed(2)} to ${high.toFixed(2)}`,
    imagesPerSecond.toFixed(1),
    (arenaBytes / 2 ** 20).toFixed(1),
  ])
}
