import { Option, type Command } from 'commander'
import { join } from 'node:path'
import { DatasetError, FoveaError } from '../errors.js'
import { duration } from '../report/duration.js'
import type { DeviceName } from '../runtime/device.js'
import type { TrainingReport } from '../train/events.js'
import type { TrainerOptions } from '../train/trainer.js'
import { positiveInteger, positiveNumber, wholeNumber, type Flags } from './command.js'
import type { Precision } from '../compile/precision.js'
import { deviceOption, onDevice, precisionOption } from './device.js'
import { EXIT } from './failure.js'
import { percent, print, printJson, table } from './output.js'
import { place } from './place.js'
import type { TrainingData } from './training-data.js'

/** What all commands that train have. */
export interface TrainingFlags extends Flags {
  readonly data: string
  readonly validation?: string
  readonly folder?: string
  readonly recipe?: string
  readonly epochs?: number
  readonly batch?: number
  readonly lr?: number
  readonly seed?: number
  readonly workers?: number
  readonly threads?: number
  readonly out: string
  readonly resume?: true
  readonly onCorrupt: 'fail' | 'skip'
  readonly device: DeviceName
  readonly precision: Precision
}

/** Adds the options of {@link TrainingFlags} to a command. */
export function trainingOptions(command: Command): Command {
  return command
    .requiredOption(
      '--data <name|folder>',
      'cifar10, mnist, fashion-mnist, or a folder with one folder a class, maybe in train and val',
    )
    .option('--validation <folder>', 'a folder with one folder a class to validate on')
    .option('--folder <path>', 'where the files of a named data set lie already')
    .option('--recipe <name>', "how to train; default: the network's own recipe")
    .option('--epochs <n>', "default: the recipe's", positiveInteger)
    .option('--batch <n>', "images a step; default: the recipe's", positiveInteger)
    .option('--lr <x>', "learning rate that the schedule scales; default: the recipe's", positiveNumber)
    .option('--seed <n>', 'of all that is random', wholeNumber)
    .option('--workers <n>', 'threads that read and augment images', positiveInteger)
    .option('--threads <n>', 'threads that compute', positiveInteger)
    .requiredOption('--out <folder>', 'where weights, metrics and the report go')
    .option('--resume', 'go on where the training in --out stopped')
    .addOption(
      new Option('--on-corrupt <what>', 'what to do about damaged images')
        .choices(['fail', 'skip'])
        .default('fail'),
    )
    .addOption(deviceOption())
    .addOption(precisionOption())
}

/** What the two commands that train bring along. */
export interface Training extends Pick<TrainerOptions, 'model' | 'recipe' | 'freeze'> {
  readonly data: TrainingData
}

/**
 * Trains, shows how it goes, and writes the report. An interrupted training is no error, but ends the process with
 * an exit code of its own.
 */
export async function runTraining(
  { model, recipe, freeze, data }: Training,
  flags: TrainingFlags,
  signal: AbortSignal,
): Promise<void> {
  const { lr, threads, out, json = false } = flags
  const { epochs, batch, seed, workers, resume, onCorrupt, precision } = flags
  const settings = { epochs, batch, seed, workers, resume, onCorrupt, precision, out, freeze, signal }
  const { train } = await import('../train/trainer.js')
  const { trainingProgress } = await import('./training-progress.js')
  const progress = trainingProgress({ data: data.train.name, quiet: json })
  const skipped: { name: string; message: string }[] = []
  const onAbort = () => {
    progress.stop()
    if (!json) process.stderr.write('finishing the step and saving; Ctrl-C again ends at once\n')
  }
  signal.addEventListener('abort', onAbort)
  let description = ''
  try {
    const report = await onDevice(
      flags.device,
      (device) => {
        description = device.description
        return train({
          ...settings,
          ...data,
          model,
          device,
          recipe: lr === undefined ? recipe : { ...recipe, optimizer: { ...recipe.optimizer, lr } },
          onEvent(event) {
            if (event.kind === 'skipped') skipped.push({ name: event.name, message: event.message })
            progress.onEvent(event)
          },
        })
      },
      threads === undefined ? {} : { threads },
    )
    progress.stop()
    const page = await drawReport(out)
    if (json) {
      const what = { network: model.name, data: data.train.name, recipe: recipe.name, device: description }
      printJson({ ...what, out, ...report, skipped, page })
    } else print(...summary(report, out, page))
    if (report.reason === 'interrupted') process.exitCode = EXIT.interrupted
  } catch (error) {
    // The curves show how it came to that.
    if (error instanceof FoveaError && error.code === 'DIVERGED') await drawReport(out)
    throw error
  } finally {
    progress.stop()
    signal.removeEventListener('abort', onAbort)
  }
}

/** @returns the page; null where nothing has been measured yet */
async function drawReport(out: string): Promise<string | null> {
  const { writeReport } = await import('../report/report.js')
  try {
    return (await writeReport(out)).page
  } catch (error) {
    if (error instanceof DatasetError) return null
    throw error
  }
}

function summary(report: TrainingReport, out: string, page: string | null): string[] {
  const { reason, best, epoch, step, seconds } = report
  const head =
    reason === 'finished'
      ? `finished: ${epoch} ${epoch === 1 ? 'epoch' : 'epochs'} in ${duration(seconds)}`
      : `interrupted after ${place({ epoch, step })}; --resume goes on there`
  const measured =
    best?.top1 === undefined
      ? `training loss ${best?.loss?.toFixed(4) ?? ''}`
      : `top-1 ${percent(best.top1, 2)}`
  const rows = [
    ...(best
      ? [
          ['best', `epoch ${best.epoch}, ${measured}`],
          ['weights', join(out, 'best.safetensors')],
        ]
      : []),
    ...(page === null ? [] : [['report', page]]),
  ]
  return [head, ...table([{ title: '' }, { title: '' }], rows)]
}
