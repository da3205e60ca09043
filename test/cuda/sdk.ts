import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from '../cli/fovea.js'

/** NVIDIA's headers and libraries on this machine, or why there are none. */
export interface CudaSdk {
  readonly includes: readonly string[]
  readonly libraries: readonly string[]
}

const script = (await import(pathToFileURL(join(root, 'scripts/cuda-sdk.mjs')).href)) as {
  cudaSdk(): CudaSdk | { readonly missing: string }
}
const found = script.cudaSdk()

/** Null where there are none; then the reason has been printed, and tests skip themselves with it. */
export const cudaSdk: CudaSdk | null = 'missing' in found ? null : found
export const sdkMissing: string = 'missing' in found ? found.missing : ''
if ('missing' in found) process.stderr.write(`skipped: ${found.missing}\n`)
