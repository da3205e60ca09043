import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const root = fileURLToPath(new URL('../..', import.meta.url))
/** As package.json's `bin` has it. */
export const MAIN = join(root, 'dist/ts/cli/main.js')
export const RESNET20 = join(root, 'test/data/checkpoints/cifar/resnet20-zip.pth')
export const PHOTOGRAPHS = join(root, 'examples/photographs')

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script of Node.js to its end. */
export function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, FOVEA_DEBUG: undefined, ...env },
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, stdout, stderr })
    })
  })
}

/** Runs the command line. */
export function fovea(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Outcome> {
  return node([MAIN, ...args], env)
}

/** Runs a command with `--json`, which must succeed. */
export async function foveaJson<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await fovea([...args, '--json'])
  if (code !== 0) throw new Error(`fovea ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`)
  return JSON.parse(stdout) as T
}

/** What a failed command says with `--json`. */
export interface JsonError {
  readonly error: { readonly code: string; readonly message: string; readonly subject?: string }
}

/** A folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fovea-cli-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}
