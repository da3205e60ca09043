import type { Command } from 'commander'
import { action, command } from '../command.js'
import { runTraining, trainingOptions, type TrainingFlags } from '../training.js'

interface Options extends TrainingFlags {
  readonly model: string
}

/** `fovea train` */
export function trainCommand(): Command {
  return trainingOptions(
    command('train', 'train a network from the start').requiredOption(
      '--model <name>',
      'network, such as resnet20',
    ),
  ).action(action(trainNetwork))
}

async function trainNetwork(_: [], flags: Options, signal: AbortSignal): Promise<void> {
  const { createModel, parseModelName } = await import('../../../models/index.js')
  const { recipeFor } = await import('../../../models/recipes.js')
  const { openTrainingData } = await import('../training-data.js')
  const name = parseModelName(flags.model)
  const recipe = recipeFor(name, flags.recipe)
  const data = await openTrainingData({ ...flags, signal, quiet: flags.json === true })
  const model = createModel(name, { classes: data.train.classes.length })
  await runTraining({ model, recipe, data }, flags, signal)
}
