import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DownloadError } from '../errors.js'
import { writeAtomically } from '../files/atomic-write.js'

/**
 * Runs work that writes `bytes` below `folder`, which is made first. When the disk is full or the folder cannot be
 * written, the error says so.
 *
 * @throws DownloadError with code `CACHE`.
 */
export async function writingTo<T>(
  folder: string,
  bytes: number | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    await mkdir(folder, { recursive: true })
    return await work()
  } catch (cause) {
    const problem = PROBLEMS[errorCode(cause) ?? '']
    if (problem === undefined) throw cause
    const needed = bytes === undefined ? '' : `; ${formatBytes(bytes)} (${bytes} bytes) are needed`
    throw new DownloadError(
      `cannot write to the cache folder ${folder}: ${problem}${needed}. FOVEA_CACHE can name another folder`,
      { subject: folder, cause, ...(bytes === undefined ? {} : { expected: `${bytes} bytes` }) },
      'CACHE',
    )
  }
}

/** Hexadecimal SHA-256 of a file. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/**
 * What was verified: the checksum that vouches for the files, and how each file looked then. Hashing hundreds of
 * megabytes at every start is saved while size and time of change stay the same.
 */
interface Receipt {
  readonly sha256: string
  readonly files: Record<string, { readonly size: number; readonly mtimeMs: number; readonly sha256: string }>
}

/** Notes that the named files of `folder` are those that `sha256` vouches for. */
export async function writeReceipt(
  path: string,
  sha256: string,
  folder: string,
  hashes: ReadonlyMap<string, string>,
): Promise<void> {
  const files: Receipt['files'] = {}
  for (const [name, hash] of hashes) {
    const { size, mtimeMs } = await stat(join(folder, name))
    files[name] = { size, mtimeMs, sha256: hash }
  }
  const receipt: Receipt = { sha256, files }
  await writeAtomically(path, (file) => file.writeFile(JSON.stringify(receipt)))
}

/** Whether a receipt for `sha256` exists and the files of `folder` are still those that it names. */
export async function receiptHolds(path: string, sha256: string, folder = dirname(path)): Promise<boolean> {
  try {
    const receipt = JSON.parse(await readFile(path, 'utf8')) as Receipt
    if (receipt.sha256 !== sha256) return false
    for (const [name, known] of Object.entries(receipt.files)) {
      const file = join(folder, name)
      const { size, mtimeMs } = await stat(file)
      if (size !== known.size) return false
      // A copied cache has other times; its content still counts.
      if (mtimeMs !== known.mtimeMs && (await sha256OfFile(file)) !== known.sha256) return false
    }
    return true
  } catch {
    return false
  }
}

/** The `code` of a system error. */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** `97.8 MB` */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB']
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)))
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]!}`
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is too large for the file system',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a file is in its place',
  EISDIR: 'a folder is in the place of the file',
}
