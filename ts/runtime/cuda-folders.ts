import { execFile } from 'node:child_process'
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { delimiter, join, sep } from 'node:path'

/** A place to look for NVIDIA's libraries in. */
export interface CudaFolder {
  /** Empty: the system's own search for the bare name. */
  readonly path: string
  /** Why it is searched, for people. */
  readonly origin: string
  /** For the driver, `libcuda.so.1`, too, which otherwise the system's own search finds. */
  readonly driver?: boolean
}

/**
 * Folders in which NVIDIA's libraries may be, in the order in which they are to be searched. A folder that somebody
 * named is all that is searched; else come `CUDNN_PATH`, `CUDA_PATH`, Python's packages, `/usr/local/cuda*`, and
 * the system's own.
 *
 * @param cudaPath in place of `FOVEA_CUDA_PATH`: a folder, or several with `:` between them
 */
export async function cudaFolders(cudaPath?: string): Promise<readonly CudaFolder[]> {
  const named = namedFolders(cudaPath)
  if (named) return named
  const folders = new Folders()
  for (const name of ['CUDNN_PATH', 'CUDA_PATH']) {
    const path = process.env[name]
    if (path) for (const folder of within(path)) folders.add(folder, name)
  }
  for (const name of ['VIRTUAL_ENV', 'CONDA_PREFIX']) {
    const path = process.env[name]
    if (path) for (const folder of environmentFolders(path)) folders.add(folder, name)
  }
  for (const site of await sitePackages())
    for (const folder of wheelFolders(site)) folders.add(folder, 'python3')
  for (const toolkit of toolkits()) folders.add(join(toolkit, 'lib64'), 'toolkit')
  folders.add('/usr/lib/x86_64-linux-gnu', 'system')
  return [...folders.list, { path: '', origin: "the system's own search" }]
}

/** The folders of the option or of `FOVEA_CUDA_PATH`, which are all that is searched; null where nobody named any. */
export function namedFolders(cudaPath?: string): readonly CudaFolder[] | null {
  const named = cudaPath ?? process.env.FOVEA_CUDA_PATH
  if (!named) return null
  const origin = cudaPath === undefined ? 'FOVEA_CUDA_PATH' : 'cudaPath'
  const folders = new Folders()
  for (const path of named.split(delimiter))
    if (path) {
      const inside = within(path)
      // A folder that is not there is told, too: somebody expects it to be searched.
      for (const folder of inside.length > 0 ? inside : [path]) folders.add(folder, origin, true)
    }
  return folders.list
}

class Folders {
  readonly list: CudaFolder[] = []
  private readonly seen = new Set<string>()

  add(path: string, origin: string, named = false): void {
    const real = existsSync(path) ? realpathSync(path) : path
    // What lies in a folder of stubs is there for linkers and does nothing.
    if (this.seen.has(real) || [path, real].some((one) => one.split(sep).includes('stubs'))) return
    if (!named && !isFolder(path)) return
    this.seen.add(real)
    this.list.push({ path, origin, ...(named ? { driver: true } : {}) })
  }
}

/** A folder of libraries, or of a toolkit or a Python package, or of many Python packages. */
function within(path: string): string[] {
  return [path, join(path, 'lib64'), join(path, 'lib'), ...wheelFolders(path)].filter(isFolder)
}

/** NVIDIA's packages in a folder of Python packages. */
function wheelFolders(site: string): string[] {
  const nvidia = join(site, 'nvidia')
  return names(nvidia)
    .map((name) => join(nvidia, name, 'lib'))
    .filter(isFolder)
}

/** Of a virtual environment of Python or of conda, which has libraries of its own, too. */
function environmentFolders(prefix: string): string[] {
  const lib = join(prefix, 'lib')
  const sites = names(lib)
    .filter((name) => /^python3/.test(name))
    .map((name) => join(lib, name, 'site-packages'))
  return [...sites.flatMap(wheelFolders), lib]
}

/** Where `python3` keeps packages; nowhere where there is none. */
function sitePackages(): Promise<readonly string[]> {
  const code = 'import json, site; print(json.dumps([*site.getsitepackages(), site.getusersitepackages()]))'
  return new Promise((resolve) => {
    execFile('python3', ['-c', code], { timeout: 5000 }, (error, stdout) => {
      if (error) resolve([])
      else resolve(paths(stdout))
    })
  })
}

function paths(json: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(json)
    return Array.isArray(value) ? value.filter((path) => typeof path === 'string') : []
  } catch {
    return []
  }
}

/** `/usr/local/cuda`, then `/usr/local/cuda-13.0` and the like, the newest first. */
function toolkits(): string[] {
  const version = (name: string) => Number(/^cuda-(\d+(?:\.\d+)?)$/.exec(name)?.[1] ?? Infinity)
  return names('/usr/local')
    .filter((name) => /^cuda(-\d+(\.\d+)?)?$/.test(name))
    .sort((a, b) => version(b) - version(a))
    .map((name) => join('/usr/local', name))
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
