import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCES = fileURLToPath(new URL('.', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const API = join(ROOT, 'native/cuda/api')

/** What loops over tensors; all else is compiled as fast as can be. */
const COMPUTE = /(tensor|convolution|cublas|graph_operations|graph_engines|softmax|block)\.cc$/

/** Everything that fovea opens by name is one library. */
export const LIBRARIES = [
  'libcuda.so.1',
  'libcudart.so.13',
  'libcudnn.so.9',
  'libcudnn_graph.so.9',
  'libcudnn_ops.so.9',
  'libcudnn_cnn.so.9',
  'libcudnn_heuristic.so.9',
  'libcudnn_engines_precompiled.so.9',
  'libcudnn_engines_runtime_compiled.so.9',
  'libcublas.so.13',
  'libcublasLt.so.13',
  'libnvrtc.so.13',
  'libnvrtc-builtins.so.13.0',
]

export interface BuildOptions {
  /** With AddressSanitizer: the process must have its runtime preloaded. */
  readonly sanitize?: boolean
}

/** A folder for what is built, that outlives the process, is found again, and belongs to this user alone. */
export function cacheFolder(): string {
  const folder = join(tmpdir(), `fovea-cudasim-${userInfo().uid}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (statSync(folder).uid !== userInfo().uid) throw new Error(`${folder} belongs to somebody else`)
  return folder
}

/**
 * Builds the simulated device unless that was done before, and installs it under the names of NVIDIA's libraries.
 *
 * @returns the folder, for `FOVEA_CUDA_PATH` or the option `cudaPath`
 */
export function buildSimulator({ sanitize = false }: BuildOptions = {}): string {
  const flags = ['-std=c++20', '-fPIC', '-fvisibility=hidden', `-I${ROOT}`]
  // Warnings of the sanitized build are false ones, of the standard library's regular expressions.
  flags.push(...(sanitize ? ['-fsanitize=address', '-g1'] : ['-Wall', '-Wextra', '-Werror']))
  const headers = [...files(API, '.h'), ...files(SOURCES, '.h'), ...files(join(SOURCES, 'shim'), '.h')]
  const common = [flags.join(' '), ...headers.map((path) => readFileSync(path, 'utf8'))]
  const sources = files(SOURCES, '.cc').map((path) => ({
    path,
    hash: hash([...common, readFileSync(path, 'utf8')]),
  }))
  const cache = cacheFolder()
  const installed = join(cache, hash([...sources.map((source) => source.hash), ...LIBRARIES]))
  if (existsSync(installed)) return installed
  return locked(join(cache, 'lock'), () => {
    if (existsSync(installed)) return installed
    const objects = join(cache, 'objects')
    mkdirSync(objects, { recursive: true })
    const compiled = sources.map((source) => {
      const object = join(objects, `${source.hash}.o`)
      if (!existsSync(object)) {
        const level = COMPUTE.test(source.path) ? '-O2' : '-O0'
        run('g++', [...flags, level, '-c', source.path, '-o', `${object}.new`])
        renameSync(`${object}.new`, object)
      }
      return object
    })
    const folder = mkdtempSync(join(cache, 'new-'))
    const library = join(folder, 'libcudasim.so')
    const link = ['-shared', '-Wl,-z,nodelete', '-ldl', '-lpthread']
    run('g++', [
      ...compiled,
      '-o',
      library,
      ...link,
      ...(sanitize ? ['-fsanitize=address'] : ['-Wl,-z,defs']),
    ])
    for (const name of LIBRARIES) symlinkSync('libcudasim.so', join(folder, name))
    copyFileSync(join(SOURCES, 'shim/cuda.h'), join(folder, 'cuda.h'))
    copyFileSync(join(SOURCES, 'kernel_abi.h'), join(folder, 'kernel_abi.h'))
    renameSync(folder, installed)
    return installed
  })
}

/** Builds a program of one source file against the simulator's interface. */
export function buildProgram(source: string, { sanitize = false }: BuildOptions = {}): string {
  const folder = buildSimulator({ sanitize })
  const flags = [
    '-std=c++20',
    '-O1',
    `-I${ROOT}`,
    '-Wall',
    '-Wextra',
    '-Werror',
    ...(sanitize ? ['-fsanitize=address', '-g1'] : []),
  ]
  const key = hash([folder, flags.join(' '), readFileSync(source, 'utf8')])
  const program = join(cacheFolder(), `program-${key}`)
  if (existsSync(program)) return program
  return locked(join(cacheFolder(), 'lock'), () => {
    if (!existsSync(program)) {
      run('g++', [
        ...flags,
        source,
        '-o',
        `${program}.new`,
        join(folder, 'libcudasim.so'),
        `-Wl,-rpath,${folder}`,
      ])
      renameSync(`${program}.new`, program)
    }
    return program
  })
}

/** The runtime that a process with a sanitized library must have preloaded. */
export function sanitizerRuntime(): string {
  const { stdout } = spawnSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' })
  return stdout.trim()
}

function files(folder: string, ending: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(folder, name))
}

function hash(parts: readonly string[]): string {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part).update('\0')
  return digest.digest('hex').slice(0, 24)
}

function run(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8' })
  if (result.status !== 0)
    throw new Error(`${command} ${args.join(' ')}:\n${result.stderr}${result.error?.message ?? ''}`)
}

/** Runs while no other process does. A lock whose owner is gone is taken over. */
function locked<T>(path: string, body: () => T): T {
  for (;;) {
    try {
      const file = openSync(path, 'wx')
      writeFileSync(file, String(process.pid))
      closeSync(file)
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (abandoned(path)) rmSync(path, { force: true })
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    }
  }
  try {
    return body()
  } finally {
    rmSync(path, { force: true })
  }
}

function abandoned(path: string): boolean {
  try {
    const owner = Number(readFileSync(path, 'utf8'))
    // An empty file is a lock that is just being taken.
    if (owner === 0) return Date.now() - statSync(path).mtimeMs > 5000
    process.kill(owner, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
