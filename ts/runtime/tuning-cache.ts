import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeAtomically } from '../files/atomic-write.js'
import { cacheFolder } from '../files/cache-folder.js'

/** Names of kernels by the problems that they were the fastest for. */
export type KernelChoices = Readonly<Record<string, string>>

/** What was measured on one kind of device, kept on disk for all processes. */
export class TuningCache {
  private readonly path: string
  private known: KernelChoices = {}

  /** @param device all that the choice depends on: library and version, processor, threads, effort */
  constructor(private readonly device: string) {
    const name = createHash('sha256').update(device).digest('hex').slice(0, 16)
    this.path = join(cacheFolder(), 'tuning', `${name}.json`)
  }

  /** What is on disk. A file that cannot be read or understood counts as none: it holds nothing but time. */
  async load(): Promise<KernelChoices> {
    try {
      const file = JSON.parse(await readFile(this.path, 'utf8')) as unknown
      if (isFile(file) && file.device === this.device) this.known = file.kernels
    } catch {
      this.known = {}
    }
    return this.known
  }

  /** Adds choices to those on disk, if some are new. A folder that cannot be written is told once and no error. */
  async save(choices: KernelChoices): Promise<void> {
    const before = this.known
    if (Object.entries(choices).every(([problem, kernel]) => before[problem] === kernel)) return
    const kernels = { ...(await this.load()), ...choices }
    this.known = kernels
    try {
      await mkdir(dirname(this.path), { recursive: true })
      const text = JSON.stringify({ device: this.device, kernels }, null, 1)
      await writeAtomically(this.path, (file) => file.writeFile(text))
    } catch (error) {
      process.emitWarning(
        `the choice of kernels cannot be kept in ${this.path}, and will be measured again: ${(error as Error).message}`,
        { type: 'FoveaWarning', code: 'FOVEA_TUNING_CACHE' },
      )
    }
  }
}

function isFile(value: unknown): value is { device: string; kernels: KernelChoices } {
  if (typeof value !== 'object' || value === null) return false
  const { kernels } = value as { kernels?: unknown }
  return (
    typeof kernels === 'object' &&
    kernels !== null &&
    Object.values(kernels).every((kernel) => typeof kernel === 'string')
  )
}
