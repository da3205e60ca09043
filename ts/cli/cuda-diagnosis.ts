import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ProbeFindings, ProbeMessage, ProbeProblem } from './cuda-probe.js'
import { cudaRemedy } from './cuda-remedies.js'

export interface Problem extends ProbeProblem {
  /** The GPU that it is about; null where it is about all. */
  readonly device: string | null
  readonly remedy: string
}

export interface DiagnosedGpu {
  readonly name: string
  readonly model: string
  readonly memory: { readonly total: number; readonly free: number | null }
  readonly computeCapability: string
  readonly usable: boolean
}

/** All that can be found out of CUDA on this machine. */
export interface CudaDiagnosis {
  readonly usable: boolean
  readonly driver: ProbeFindings['driver']
  readonly libraries: ProbeFindings['libraries']
  readonly gpus: readonly DiagnosedGpu[]
  readonly problems: readonly Problem[]
  /** What the device `auto` is; null where the search did not come so far. */
  readonly auto: string | null
}

/** Long enough for a machine with many GPUs that starts its driver first. */
const TIMEOUT = 120_000

/** Looks for CUDA in a child process, so that nothing that happens there ends this one. */
export async function diagnoseCuda(): Promise<CudaDiagnosis> {
  const { messages, ending } = await probe()
  const found = messages.find((message) => message.step === 'found')?.found
  const opened = messages.filter((message) => message.step === 'opened')
  const gpus = (found?.gpus ?? []).map(({ index, name, totalBytes, freeBytes, computeCapability }) => ({
    name: `cuda:${index}`,
    model: name,
    memory: { total: totalBytes, free: freeBytes },
    computeCapability,
    usable: opened.some((one) => one.name === `cuda:${index}` && one.problem === null),
  }))
  const problems = [
    ...(found?.problems ?? []).map((problem) => withRemedy(problem, null)),
    ...opened.flatMap(({ name, problem }) => (problem ? [withRemedy(problem, name)] : [])),
    ...messages
      .filter((message) => message.step === 'failed')
      .map(({ message }) => withRemedy({ reason: 'failed', message, searched: [] }, null)),
    ...(ending === null ? [] : [withRemedy({ reason: 'crashed', message: ending, searched: [] }, null)]),
  ]
  return {
    usable: gpus.some(({ usable }) => usable),
    driver: found?.driver ?? null,
    libraries: found?.libraries ?? null,
    gpus,
    problems,
    auto: messages.find((message) => message.step === 'chosen')?.description ?? null,
  }
}

function withRemedy(problem: ProbeProblem, device: string | null): Problem {
  const remedy =
    cudaRemedy(problem.reason) ?? 'Reinstall the NVIDIA driver and cuDNN; --device cpu needs neither'
  return { ...problem, device, remedy }
}

interface ProbeOutcome {
  readonly messages: readonly ProbeMessage[]
  /** How the child ended, if not as it should. */
  readonly ending: string | null
}

function probe(): Promise<ProbeOutcome> {
  return new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL('cuda-probe.js', import.meta.url))
    // A crash is expected and is not worth a file of the size of the process.
    const child = spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$0" "$@"', process.execPath, script], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: TIMEOUT,
      killSignal: 'SIGKILL',
    })
    const messages: ProbeMessage[] = []
    let printed = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (printed += text))
    child.on('message', (message) => messages.push(message as ProbeMessage))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const words = printed.trim() === '' ? '' : `, after it printed: ${printed.trim().slice(-500)}`
      const how =
        signal === 'SIGKILL'
          ? `did not end within ${TIMEOUT / 1000} s`
          : signal === null
            ? `ended with code ${code}`
            : `was ended by ${signal}`
      resolve({
        messages,
        ending: code === 0 ? null : `the process that looked for CUDA ${how}${words}`,
      })
    })
  })
}
