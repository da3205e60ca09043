import { open, rename, rm, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { DownloadError } from '../errors.js'
import { errorCode, sha256OfFile } from './cache.js'

/** Told how many bytes have come, and of how many when that is known. */
export type Progress = (received: number, total: number | undefined) => void

export interface DownloadOptions {
  /** Expected SHA-256 in hexadecimal, or its first digits where no more was published. */
  readonly sha256: string
  readonly bytes?: number | undefined
  readonly onProgress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Attempts that bring nothing new before giving up, and the first pause between them. */
const ATTEMPTS = 4
const PAUSE_MS = 200

/** The server's final word, or the network's: nothing arrived and no more attempts are made. */
export class UnreachableError extends Error {}

/**
 * Downloads to `path`, which appears only when it is whole and its checksum is right. What has come so far is kept
 * in `path.part`, from where a later call goes on.
 *
 * @returns the file's SHA-256
 * @throws UnreachableError, DownloadError for a wrong checksum, or the error of the file system.
 */
export async function download(url: string, path: string, options: DownloadOptions): Promise<string> {
  const part = `${path}.part`
  for (let attempt = 1; ; attempt++) {
    const resumed = await receiveAll(url, part, options)
    const digest = await sha256OfFile(part)
    if (digest.startsWith(options.sha256)) {
      await sync(part)
      await rename(part, path)
      return digest
    }
    await rm(part)
    // The beginning of a resumed file may stem from an older version of it, so one attempt from scratch decides.
    if (!resumed || attempt === 2) throw checksumError(url, options.sha256, digest)
  }
}

/** The error for a file whose SHA-256 is not the expected one. */
export function checksumError(subject: string, expected: string, got: string, remark = ''): DownloadError {
  return new DownloadError(
    `${subject} has a wrong checksum: expected sha256 ${expected}, got ${got}. The file was removed${remark}`,
    { subject, expected, got },
  )
}

/** Completes the part, over several connections if need be. @returns whether any of them resumed an earlier one */
async function receiveAll(url: string, part: string, options: DownloadOptions): Promise<boolean> {
  const state: State = { validator: undefined, resumed: false }
  let furthest = 0
  for (let failures = 0; ;) {
    try {
      await receive(url, part, state, options)
      return state.resumed
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!isPassing(error)) throw error
      const size = await sizeOf(part)
      failures = size > furthest ? 1 : failures + 1
      furthest = Math.max(furthest, size)
      if (failures >= ATTEMPTS) throw new UnreachableError(networkReason(error), { cause: error })
      await delay(PAUSE_MS * 2 ** (failures - 1), undefined, { signal: options.signal })
    }
  }
}

interface State {
  /** Names the version of the file of which a part has come, for `If-Range`. */
  validator: string | undefined
  resumed: boolean
}

/** Worth another attempt. */
class PassingError extends Error {}

async function receive(url: string, part: string, state: State, options: DownloadOptions): Promise<void> {
  const offset = await sizeOf(part)
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (offset > 0) headers.range = `bytes=${offset}-`
  if (offset > 0 && state.validator !== undefined) headers['if-range'] = state.validator
  const response = await fetch(url, { headers, signal: options.signal ?? null })
  const range = contentRange(response)
  const appends = response.status === 206
  state.resumed = offset > 0 && (appends || response.status === 416)
  // Nothing lies behind the offset: the part is whole already.
  if (response.status === 416 && range.total === offset) {
    await response.body?.cancel()
    return
  }
  if (response.status === 416 || (appends && range.start !== offset)) {
    await response.body?.cancel()
    await rm(part, { force: true })
    throw new PassingError('the server refused to resume')
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel()
    const text = `the server answered ${response.status} ${response.statusText}`.trim()
    if (response.status >= 500 || response.status === 429 || response.status === 408)
      throw new PassingError(text)
    throw new UnreachableError(text)
  }
  const total = appends ? range.total : length(response)
  state.validator = validatorOf(response)
  const file = await open(part, appends ? 'a' : 'w')
  try {
    let received = appends ? offset : 0
    options.onProgress?.(received, total ?? options.bytes)
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      await file.appendFile(chunk)
      received += chunk.length
      options.onProgress?.(received, total ?? options.bytes)
    }
    if (total !== undefined && received < total) throw new PassingError('the connection broke')
  } finally {
    await file.close()
  }
}

/** `If-Range` needs a strong validator: a weak one may name different bytes. */
function validatorOf(response: Response): string | undefined {
  const etag = response.headers.get('etag')
  if (etag !== null && !etag.startsWith('W/')) return etag
  return response.headers.get('last-modified') ?? undefined
}

function contentRange(response: Response): { start: number | undefined; total: number | undefined } {
  const match = /^bytes (?:(\d+)-\d+|\*)\/(?:(\d+)|\*)$/.exec(response.headers.get('content-range') ?? '')
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text))
  return { start: number(match?.[1]), total: number(match?.[2]) }
}

function length(response: Response): number | undefined {
  const text = response.headers.get('content-length')
  return text === null ? undefined : Number(text)
}

/** fetch reports every trouble of the network as a TypeError. */
function isPassing(error: unknown): boolean {
  return error instanceof PassingError || error instanceof TypeError
}

/** What the network said, from the innermost cause. */
export function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof Error) return networkReason(cause)
  if (error.message !== '') return error.message
  return errorCode(error) ?? error.name
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
