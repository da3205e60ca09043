// A child process of `fovea doctor`: a broken driver may end it, and only it.
import { CudaUnavailable } from '../errors.js'
import { inspectCuda, type CudaInspection } from '../runtime/cuda.js'
import { Device } from '../runtime/device.js'

/** A problem as plain data. */
export interface ProbeProblem {
  readonly reason: string
  readonly message: string
  readonly searched: readonly string[]
}

/** What the child says, in the order in which it finds out. */
export type ProbeMessage =
  | { readonly step: 'found'; readonly found: ProbeFindings }
  | { readonly step: 'opened'; readonly name: string; readonly problem: ProbeProblem | null }
  | { readonly step: 'chosen'; readonly description: string }
  | { readonly step: 'failed'; readonly message: string }

export interface ProbeFindings extends Pick<CudaInspection, 'driver' | 'gpus' | 'libraries'> {
  readonly problems: readonly ProbeProblem[]
}

function plain({ reason, message, searched }: CudaUnavailable): ProbeProblem {
  return { reason, message, searched }
}

function say(message: ProbeMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()))
}

async function tryToOpen(index: number): Promise<ProbeProblem | null> {
  try {
    const device = await Device.open(`cuda:${index}`)
    device.close()
    return null
  } catch (error) {
    if (error instanceof CudaUnavailable) return plain(error)
    throw error
  }
}

async function probe(): Promise<void> {
  const { driver, driverProblem, gpus, libraries, librariesProblem } = await inspectCuda({
    libraries: true,
    freeMemory: true,
  })
  const problems = [driverProblem, librariesProblem].filter((problem) => problem !== null).map(plain)
  await say({ step: 'found', found: { driver, gpus, libraries, problems } })
  if (libraries)
    for (const { index } of gpus)
      await say({ step: 'opened', name: `cuda:${index}`, problem: await tryToOpen(index) })
  const device = await Device.open('auto')
  await say({ step: 'chosen', description: device.description })
  device.close()
}

try {
  await probe()
} catch (error) {
  await say({ step: 'failed', message: error instanceof Error ? error.message : String(error) })
}
process.disconnect()
