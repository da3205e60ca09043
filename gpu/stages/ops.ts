import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { delimiter, join } from 'node:path'
import { runProcess } from '../support/process.js'
import { foreignEnvironment, type Stage } from '../support/suite.js'
import { deviceName, reduced } from '../support/target.js'

const GRADIENTS = ['convolution', 'dropout', 'elementwise', 'loss', 'moves', 'normalization', 'pooling']
const STEPS = ['optimizers', 'lenet5-step', 'checkpointing', 'custom']
const WIDTH = reduced ? 1 : 6
/** Code with which compute-sanitizer ends when it found something. */
const FOUND = 86

/** Every operation forward and backward, training steps, and hazards. */
export async function ops(stage: Stage): Promise<void> {
  const tests = (check: string, file: string) => () =>
    stage.check('tests', [check, file], {
      seconds: 300,
      environment: { ...process.env, FOVEA_TEST_DEVICE: deviceName },
    })
  await stage.together(WIDTH, [
    ...GRADIENTS.map((name) => tests('operations', `gradients/${name}`)),
    ...STEPS.map((name) => tests('steps', `training/${name}`)),
    tests('published weights', 'accuracy/cifar'),
    () => stage.check('hazards', [], { seconds: 240 }),
  ])
}

/** All operations again, under compute-sanitizer. */
export async function sanitizer(stage: Stage): Promise<void> {
  const tool = findSanitizer()
  if (!tool) {
    stage.report({
      check: 'compute-sanitizer',
      name: 'operations',
      status: 'skip',
      note: 'it is not on this machine',
    })
    return
  }
  const program = fileURLToPath(new URL('../checks/tests.js', import.meta.url))
  const memcheck = GRADIENTS.map((name) => ['memcheck', name] as const)
  const others = (['racecheck', 'initcheck', 'synccheck'] as const).flatMap((kind) =>
    ['loss', 'normalization', 'pooling', 'elementwise'].map((name) => [kind, name] as const),
  )
  await stage.together(
    8,
    [...memcheck, ...others].map(([kind, name]) => async () => {
      const limit = Math.min(150, stage.left)
      const row = { check: `sanitizer: ${kind}`, name: `gradients/${name}` }
      if (limit < 5) {
        stage.report({ ...row, status: 'skip', note: 'no time was left in this stage' })
        return
      }
      const said: string[] = []
      const { code, timedOut, seconds } = await runProcess(
        tool,
        [
          '--tool',
          kind,
          '--error-exitcode',
          String(FOUND),
          '--print-limit',
          '10',
          process.execPath,
          program,
          'operations',
          `gradients/${name}`,
        ],
        {
          seconds: limit,
          onLine: (line) => {
            if (line.startsWith('=========')) said.push(line.slice(10).trim())
          },
        },
      )
      const text = said.slice(-12).join(' / ')
      const refused = /not supported|unable to|Failed to initialize/i.test(text) && code !== FOUND
      stage.report({
        ...row,
        status: code === FOUND ? 'fail' : timedOut || refused || said.length === 0 ? 'skip' : 'pass',
        values: { seconds: Number(seconds.toFixed(1)) },
        note: timedOut ? `was not done after ${limit.toFixed(0)} s` : code === FOUND || refused ? text : '',
      })
    }),
  )
}

function findSanitizer(): string | null {
  const { PATH = '', CUDA_HOME = '', CUDA_PATH = '' } = foreignEnvironment()
  const folders = [
    ...PATH.split(delimiter),
    ...[CUDA_HOME, CUDA_PATH, '/usr/local/cuda', '/usr/local/cuda-13.0', '/usr/local/cuda-12.8'].flatMap(
      (root) => [join(root, 'bin'), join(root, 'compute-sanitizer')],
    ),
  ]
  return folders.map((folder) => join(folder, 'compute-sanitizer')).find((path) => existsSync(path)) ?? null
}
