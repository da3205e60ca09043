import type { Command } from 'commander'
import { createRequire } from 'node:module'
import { action, command, type Flags } from '../command.js'
import type { CudaDiagnosis, Problem } from '../cuda-diagnosis.js'
import { colours, print, printJson, table } from '../output.js'

/** `fovea doctor` */
export function doctorCommand(): Command {
  return command(
    'doctor',
    'show what fovea can compute with here, and what to do about what is missing',
  ).action(action(doctor))
}

async function doctor(_: [], { json }: Flags): Promise<void> {
  const { Device } = await import('../../runtime/device.js')
  const { diagnoseCuda } = await import('../cuda-diagnosis.js')
  const cpu = await Device.open('cpu')
  cpu.close()
  const { version } = createRequire(import.meta.url)('fovea/package.json') as { readonly version: string }
  const report = {
    fovea: version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpu.description,
    cuda: await diagnoseCuda(),
  }
  if (json) {
    printJson(report)
    return
  }
  const { bold } = colours(process.stdout)
  print(`fovea ${report.fovea}, Node.js ${report.node}, ${report.platform}`)
  print('', bold('CPU'), '', report.cpu)
  print('', bold('CUDA'), '', ...(await cudaLines(report.cuda)))
  if (report.cuda.problems.length > 0)
    print('', bold('What is missing'), '', ...report.cuda.problems.flatMap(problemLines))
  if (report.cuda.auto !== null) print('', `${bold('--device auto')} is: ${report.cuda.auto}`)
}

async function cudaLines({ driver, gpus, libraries }: CudaDiagnosis): Promise<string[]> {
  const { formatBytes } = await import('../../io/cache.js')
  const gpuRows = gpus.map(({ name, model, memory, computeCapability, usable }) => [
    name,
    model,
    `compute capability ${computeCapability}`,
    `${memory.free === null ? '?' : formatBytes(memory.free)} of ${formatBytes(memory.total)} free`,
    usable ? 'usable' : 'not usable',
  ])
  const empty = (titles: number) => Array.from({ length: titles }, () => ({ title: '' }))
  return [
    driver ? `driver for CUDA ${driver.version}: ${driver.path}` : 'no driver that works',
    ...(gpus.length > 0 ? table(empty(5), gpuRows) : ['no GPU']),
    libraries
      ? `cuDNN ${libraries.versions.cudnn}, CUDA ${libraries.versions.runtime}, NVRTC ${libraries.versions.nvrtc}`
      : 'no libraries that fit',
    ...(libraries ? table(empty(2), Object.entries(libraries.files)) : []),
  ]
}

function problemLines({ device, message, remedy }: Problem): string[] {
  return [`- ${device === null ? '' : `${device}: `}${message}`, `  ${remedy}.`]
}
