import type { Command } from 'commander'
import { action, command, type Flags } from '../command.js'
import { colours, count, print, printJson, table } from '../output.js'

/** `fovea list` */
export function listCommand(): Command {
  return command('list', 'show all networks, published weights, data sets and recipes').action(action(list))
}

async function list(_: [], { json }: Flags): Promise<void> {
  const { createModel, modelNames } = await import('../../../models/index.js')
  const { WEIGHTS_NAMES, weightsEntry, weightsOf } = await import('../../../models/weights.js')
  const { RECIPE_NAMES } = await import('../../../models/recipes.js')
  const { DATASET_NAMES } = await import('../../data/datasets/open.js')
  const { formatBytes } = await import('../../io/cache.js')
  const networks = modelNames.map((name) => {
    const { info, parameterCount } = createModel(name)
    const { input, classes } = info
    return { name, input, classes, parameters: parameterCount, weights: weightsOf(name) }
  })
  const weights = WEIGHTS_NAMES.map((name) => {
    const { model, bytes, licence, labels, accuracy } = weightsEntry(name)
    return { name, model, labels, licence, bytes, accuracy }
  })
  if (json) {
    printJson({ networks, weights, datasets: DATASET_NAMES, recipes: RECIPE_NAMES })
    return
  }
  const { bold } = colours(process.stdout)
  const networkRows = networks.map(({ name, input, classes, parameters }) => [
    name,
    `${input.channels} x ${input.size} x ${input.size}`,
    count(classes),
    count(parameters),
  ])
  const right = (title: string) => ({ title, align: 'right' }) as const
  print(bold('Networks'), '')
  print(...table([{ title: 'name' }, { title: 'input' }, right('classes'), right('parameters')], networkRows))
  const weightsRows = weights.map(({ name, labels, licence, bytes, accuracy }) => [
    name,
    labels,
    accuracy === undefined ? '' : `${accuracy.top1.toFixed(2)} %`,
    accuracy?.top5 === undefined ? '' : `${accuracy.top5.toFixed(2)} %`,
    bytes === undefined ? '' : formatBytes(bytes),
    licence,
  ])
  const columns = [{ title: 'name' }, { title: 'classes' }, right('top-1'), right('top-5'), right('download')]
  print('', bold('Weights'), '', ...table([...columns, { title: 'licence' }], weightsRows))
  print('', `${bold('Data sets')}  ${DATASET_NAMES.join(', ')}`)
  print(`${bold('Recipes')}    ${RECIPE_NAMES.join(', ')}`)
}
