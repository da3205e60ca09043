import type { Command } from 'commander'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { InferencePrecision } from '../../compile/precision.js'
import type { Costs, StepCost } from '../../profile/index.js'
import type { CompiledProgram } from '../../model/compiled.js'
import type { Device, DeviceName } from '../../runtime/device.js'
import { action, command, positiveInteger, type Flags } from '../command.js'
import { uncalibrated } from '../calibration.js'
import { deviceOption, inferencePrecisionOption, onDevice } from '../device.js'
import { colours, count, percent, print, printJson, table } from '../output.js'

interface Options extends Flags {
  readonly batch: number
  readonly training?: true
  readonly runs: number
  readonly threads?: number
  readonly precision: InferencePrecision
  readonly device: DeviceName
  readonly out?: string
}

/** `fovea profile` */
export function profileCommand(): Command {
  return command('profile', 'show the time, speed and memory of every step of a network')
    .argument('<name>', 'network, such as resnet50')
    .option('--batch <n>', 'images a run', positiveInteger, 1)
    .option('--training', 'a whole training step: forward, backward and update')
    .option('--runs <n>', 'runs that the medians are taken of', positiveInteger, 10)
    .option('--threads <n>', 'threads of the CPU; default: one a core', positiveInteger)
    .addOption(inferencePrecisionOption())
    .addOption(deviceOption())
    .option(
      '--out <folder>',
      'write pictures (SVG), a trace for chrome://tracing or Perfetto, and the figures',
    )
    .action(action(profileNetwork))
}

async function profileNetwork([network]: [string], options: Options, signal: AbortSignal): Promise<void> {
  const { createModel, parseModelName } = await import('../../../models/index.js')
  const { crossEntropy } = await import('../../train/loss.js')
  const { sgd } = await import('../../train/optimizer.js')
  const { parsePrecision } = await import('../../compile/precision.js')
  const { costs } = await import('../../profile/index.js')
  const { batch, training, precision, runs, threads, out, json } = options
  const model = createModel(parseModelName(network))
  const compile = async (device: Device): Promise<CompiledProgram> =>
    training
      ? model.compile(device, {
          batch,
          precision: parsePrecision(precision),
          signal,
          training: { loss: crossEntropy(), optimizer: sgd({ lr: 0.1, momentum: 0.9 }) },
        })
      : model.compile(device, { batch, ...(await uncalibrated(model, device, precision)), signal })
  const { description, profile } = await onDevice(
    options.device,
    async (device) => {
      using program = await compile(device)
      return { description: device.description, profile: await program.profile({ runs, signal }) }
    },
    threads === undefined ? {} : { threads },
  )
  const report = {
    network,
    batch,
    mode: training ? 'training' : 'inference',
    precision,
    device: description,
    runs,
    ...costs(profile),
  }
  const files = out === undefined ? [] : await write(out, report)
  if (json) printJson({ ...report, files })
  else show(report, files)
}

interface Report extends Costs {
  readonly network: string
  readonly batch: number
  readonly mode: string
  readonly precision: InferencePrecision
  readonly device: string
  readonly runs: number
}

async function write(folder: string, report: Report): Promise<string[]> {
  const { drawMemory, drawRates, traceOf } = await import('../../profile/index.js')
  const title = titleOf(report)
  const contents = {
    'rates.svg': await drawRates(title, report),
    'memory.svg': await drawMemory(title, report),
    'trace.json': JSON.stringify(traceOf(title, report)),
    'profile.json': `${JSON.stringify(report, null, 2)}\n`,
  }
  await mkdir(folder, { recursive: true })
  const paths: string[] = []
  for (const [name, text] of Object.entries(contents)) {
    paths.push(join(folder, name))
    await writeFile(paths.at(-1)!, text)
  }
  return paths
}

function titleOf({ network, mode, precision, batch }: Report): string {
  return `${network}, ${mode}, ${precision}, batch ${batch}`
}

const MIB = 2 ** 20
const right = (title: string) => ({ title, align: 'right' }) as const

function show(report: Report, files: readonly string[]): void {
  const { steps, ops, run, kernels, reorders, constants, arenaBytes } = report
  const { bold } = colours(process.stdout)
  const rates = [right('ms'), right('share'), right('GFLOP/s'), right('GB/s')]
  print(bold(`${titleOf(report)} on ${report.device}`), '')
  print(
    ...table(
      [
        { title: 'layer' },
        { title: 'operation' },
        ...rates,
        right('MiB in use'),
        { title: 'kernel' },
        { title: 'layout' },
      ],
      steps.map((step) => [
        step.path,
        step.op,
        ...figures(step),
        (step.live / MIB).toFixed(1),
        step.kernel,
        layout(step),
      ]),
    ),
    '',
    ...table(
      [{ title: 'operation' }, right('steps'), ...rates, right('MB moved')],
      ops.map((op) => [op.op, count(op.count), ...figures(op), (op.moved / 1e6).toFixed(1)]),
    ),
    '',
  )
  const flops = ops.reduce((sum, op) => sum + op.flops, 0)
  const ms = (seconds: number) => `${(1000 * seconds).toFixed(3)} ms`
  print(
    ...table(
      [{ title: '' }, { title: '' }],
      [
        [
          'run',
          `${ms(run.median)} (quartiles ${ms(run.low)} and ${ms(run.high)}, ${count(report.runs)} runs)`,
        ],
        [
          'kernels',
          `${ms(kernels)} in ${count(steps.length)} steps, ${(flops / kernels / 1e9).toFixed(1)} GFLOP/s`,
        ],
        ['reorders', count(reorders)],
        ['memory', `${(arenaBytes / MIB).toFixed(1)} MiB beside the weights`],
        [
          'constants',
          `${count(constants.steps)} steps once after the weights change, ${(constants.bytes / MIB).toFixed(1)} MiB`,
        ],
      ],
    ),
    ...files,
  )
}

type Figures = Pick<StepCost, 'seconds' | 'share' | 'flops' | 'moved'>

function figures({ seconds, share, flops, moved }: Figures): string[] {
  const rate = (amount: number) => (amount === 0 ? '' : (amount / seconds / 1e9).toFixed(1))
  return [(1000 * seconds).toFixed(3), percent(share), rate(flops), rate(moved)]
}

/** `nchw -> nChw16c` where it changes. */
function layout({ layout: [input, output] }: StepCost): string {
  return input === output ? input : `${input} -> ${output}`
}
