import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const FOLDER = join(process.cwd(), 'bench/peers')

/** Installs the packages that fovea is compared with, if they are not there yet. */
export function installPeers(): void {
  const packages = ['onnxruntime-node', '@tensorflow/tfjs-backend-wasm']
  if (packages.every((name) => existsSync(join(FOLDER, 'node_modules', name)))) return
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed in bench/peers`)
}

/** Loads one of them. */
export function loadPeer(name: string): unknown {
  return createRequire(join(FOLDER, 'package.json'))(name)
}
