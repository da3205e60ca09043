import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { runProcess } from '../support/process.js'
import { foreignEnvironment, PYTHON, type Stage } from '../support/suite.js'
import { rehearsal } from '../support/target.js'

const TORCH = `
import torch
print('torch', torch.__version__, 'CUDA', torch.version.cuda, 'cuDNN', torch.backends.cudnn.version(), 'GPU', torch.cuda.is_available())
`

/** What is there, and whether a first convolution comes out right. */
export async function smoke(stage: Stage): Promise<void> {
  // First: it helps where no GPU is.
  if (rehearsal !== 'cpu')
    await stage.check('device-properties', [join(stage.folder, 'device.json')], { seconds: 60 })
  await words(stage, 'nvidia-smi', 'nvidia-smi', [
    '--query-gpu=name,driver_version,memory.total,compute_cap',
    '--format=csv,noheader',
  ])
  await words(stage, 'PyTorch', PYTHON, ['-c', TORCH])
  await doctor(stage)
  await stage.check('open', [], { seconds: 60 })
  await stage.check('convolutions', [], { seconds: 120 })
}

/** What a program that is not ours prints. It may not be there. */
async function words(stage: Stage, name: string, command: string, args: readonly string[]): Promise<void> {
  const lines: string[] = []
  const { code, lastWords } = await runProcess(command, args, {
    seconds: 60,
    environment: foreignEnvironment(),
    onLine: (line) => lines.push(line),
  })
  stage.report({
    check: 'versions',
    name,
    status: code === 0 ? 'info' : 'skip',
    note: code === 0 ? lines.join('; ') : `ended with code ${code ?? 'none'}: ${lastWords}`,
  })
}

async function doctor(stage: Stage): Promise<void> {
  const lines: string[] = []
  const main = fileURLToPath(new URL('../../ts/cli/main.js', import.meta.url))
  const { code, lastWords } = await runProcess(process.execPath, [main, 'doctor'], {
    seconds: 60,
    onLine: (line) => lines.push(line),
  })
  const text = [...lines, lastWords].join('\n')
  console.log(text)
  stage.report({
    check: 'fovea doctor',
    name: 'ends well',
    status: code === 0 ? 'pass' : 'fail',
    note: code === 0 ? '' : text,
  })
}
