import type { Command } from 'commander'
import { action, command, type Flags } from '../command.js'
import { count, print, printJson } from '../output.js'

/** `fovea data` */
export function dataCommand(): Command {
  return command('data', 'fetch a data set and say where it lies')
    .argument('<name>', 'cifar10, mnist or fashion-mnist')
    .action(action(fetchData))
}

async function fetchData([name]: [string], { json = false }: Flags, signal: AbortSignal): Promise<void> {
  const { datasetFolder, parseDatasetName } = await import('../../data/datasets/open.js')
  const { openData } = await import('../datasets.js')
  const known = parseDatasetName(name)
  const train = await openData(known, { signal, quiet: json, split: 'train' })
  const test = await openData(known, { signal, quiet: json, split: 'test' })
  const folder = datasetFolder(known)
  if (json) printJson({ name, folder, train: train.size, test: test.size, classes: train.classes })
  else print(`${folder}: ${count(train.size)} images to train on, ${count(test.size)} to test`)
}
