import { MODES } from '../support/mode.js'
import type { Stage } from '../support/suite.js'

/** LeNet-5 and ResNet-20 from their first weights to their accuracy, and the published ResNet-20's right answers. */
export async function training(stage: Stage): Promise<void> {
  await stage.check('published', ['f32'], { seconds: 120 })
  // One after the other: what is measured beside is how long each takes.
  for (const [network, mode] of [
    ['lenet5', 'f32'],
    ['resnet20', 'f16'],
    ['resnet20', 'f32'],
    ['lenet5', 'bf16'],
    ['resnet20', 'bf16'],
    ['lenet5', 'f16'],
  ] as const)
    await stage.check('train', [network, mode], { seconds: 240 })
  for (const mode of MODES.filter((mode) => mode !== 'f32'))
    await stage.check('published', [mode], { seconds: 60 })
}
