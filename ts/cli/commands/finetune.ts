import type { Command } from 'commander'
import { action, command, wholeNumber } from '../command.js'
import { runTraining, trainingOptions, type TrainingFlags } from '../training.js'

interface Options extends TrainingFlags {
  readonly model?: string
  readonly weights: string
  readonly freezeEpochs: number
}

/** `fovea finetune` */
export function finetuneCommand(): Command {
  return trainingOptions(
    command('finetune', 'go on training a network that is trained already, on classes of your own')
      .option('--model <name>', 'network, such as resnet50; published weights say it themselves')
      .requiredOption('--weights <file|name>', 'weights file, or published weights')
      .option('--freeze-epochs <n>', 'epochs at first in which only the last layer learns', wholeNumber, 1),
  ).action(action(finetune))
}

async function finetune(_: [], flags: Options, signal: AbortSignal): Promise<void> {
  const { model: name, weights, freezeEpochs, json = false } = flags
  const { openClassifiers } = await import('../classifiers.js')
  const { withNewHead } = await import('../new-head.js')
  const { openTrainingData } = await import('../training-data.js')
  const { fineTuningRecipe } = await import('../../../models/recipes.js')
  const { trunkOf } = await import('../../train/fine-tune.js')
  const data = await openTrainingData({ ...flags, signal, quiet: json })
  const [classifier] = await openClassifiers({ model: name, weights: [weights], signal, quiet: json })
  const model = await withNewHead(classifier!.model, data.train.classes.length)
  const recipe = fineTuningRecipe(flags.recipe)
  const freeze = { patterns: trunkOf(model), epochs: freezeEpochs }
  await runTraining({ model, recipe, data, freeze }, flags, signal)
}
