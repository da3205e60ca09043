import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { DownloadError } from '../../ts/errors.js'
import { linkAtomically, writeAtomically } from '../../ts/files/atomic-write.js'
import { cacheFolder } from '../../ts/files/cache-folder.js'
import { formatBytes, receiptHolds, writeReceipt, writingTo } from '../../ts/io/cache.js'
import { fetchFile } from '../../ts/io/download.js'
import { failure, filesIn, noise, serve, sha256, temporaryFolder } from './helpers.js'

const freshFolder = temporaryFolder()
const content = noise(1_000_000)
const digest = sha256(content)

afterEach(() => vi.unstubAllEnvs())

/** A file system of 256 kB, where this user may mount one. */
function tinyDisk(): string | undefined {
  const folder = freshFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    return undefined
  }
}
const disk = process.platform === 'linux' && process.getuid?.() === 0 ? tinyDisk() : undefined
afterAll(() => {
  if (disk !== undefined) execFileSync('umount', [disk], { stdio: 'ignore' })
})

describe('the cache folder', () => {
  it('is the option, else FOVEA_CACHE, else the folder of the user', () => {
    vi.stubEnv('FOVEA_CACHE', 'some/where')
    expect(cacheFolder({ cache: '/given' })).toBe(resolve('/given'))
    expect(cacheFolder()).toBe(resolve('some/where'))
    vi.stubEnv('FOVEA_CACHE', '')
    expect(cacheFolder().startsWith(homedir())).toBe(true)
    expect(cacheFolder()).toContain('fovea')
  })

  it.skipIf(disk === undefined)('full: an error that says so, and nothing half written', async () => {
    const { url } = await serve((_, response) =>
      response.writeHead(200, { 'content-length': content.length }).end(content),
    )
    const error = await failure(
      fetchFile({ url: `${url}/a`, sha256: digest, bytes: content.length }, { cache: disk! }),
    )
    expect(error).toBeInstanceOf(DownloadError)
    expect(error.code).toBe('CACHE')
    expect(error.message).toContain(disk!)
    expect(error.message).toContain('the disk is full')
    expect(error.message).toContain('1000000 bytes')
    expect(await filesIn(disk!)).toEqual([])
  })

  it.skipIf(!existsSync('/dev/full'))(
    'full: the error of the system becomes one that names the folder',
    async () => {
      const folder = freshFolder()
      const error = await failure(writingTo(folder, 97_800_000, () => writeFile('/dev/full', 'x')))
      expect(error).toBeInstanceOf(DownloadError)
      expect(error.code).toBe('CACHE')
      expect(error.message).toMatch(/the disk is full; 97\.8 MB \(97800000 bytes\) are needed/)
      expect((error.cause as { code: string }).code).toBe('ENOSPC')
    },
  )

  it('below a file: an error that says so', async () => {
    const file = join(freshFolder(), 'file')
    await writeFile(file, '')
    const error = await failure(
      fetchFile({ url: 'http://127.0.0.1:9/a', sha256: digest, bytes: 7 }, { cache: join(file, 'cache') }),
    )
    expect(error).toBeInstanceOf(DownloadError)
    expect(error.code).toBe('CACHE')
    expect(error.message).toContain(join(file, 'cache'))
    expect(error.message).toContain('7 bytes')
  })

  it.skipIf(process.getuid === undefined || process.getuid() === 0)(
    'not writable: an error that says so',
    async () => {
      const cache = freshFolder()
      await chmod(cache, 0o500)
      const error = await failure(fetchFile({ url: 'http://127.0.0.1:9/a', sha256: digest }, { cache }))
      await chmod(cache, 0o700)
      expect(error.code).toBe('CACHE')
      expect(error.message).toContain('permission denied')
    },
  )

  it('leaves other errors alone', async () => {
    const other = new Error('something else')
    expect(await failure(writingTo(freshFolder(), 1, () => Promise.reject(other)))).toBe(other)
  })
})

describe('writeAtomically', () => {
  it('replaces a file in one step', async () => {
    const path = join(freshFolder(), 'a')
    await writeFile(path, 'old')
    await writeAtomically(path, async (file) => {
      await file.writeFile('new')
      expect(await readFile(path, 'utf8')).toBe('old')
    })
    expect(await readFile(path, 'utf8')).toBe('new')
  })

  it('leaves the old file, and nothing beside it, when writing fails', async () => {
    const folder = freshFolder()
    await writeFile(join(folder, 'a'), 'old')
    const write = writeAtomically(join(folder, 'a'), async (file) => {
      await file.writeFile('half')
      throw new Error('power cut')
    })
    expect((await failure(write)).message).toBe('power cut')
    expect(await filesIn(folder)).toEqual(['a'])
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('old')
  })
})

describe('linkAtomically', () => {
  it('gives a file a second name, in place of the one that has it', async () => {
    const folder = freshFolder()
    const [one, two] = [join(folder, 'one'), join(folder, 'two')]
    await writeFile(one, 'new')
    await writeFile(two, 'old')
    // The second time both are the same file already.
    for (let time = 0; time < 2; time++) {
      expect(await linkAtomically(one, two)).toBe(true)
      expect((await stat(two)).ino).toBe((await stat(one)).ino)
      expect(await filesIn(folder)).toEqual(['one', 'two'])
    }
    // Replacing the one leaves the other.
    await writeAtomically(one, (file) => file.writeFile('newer'))
    expect(await readFile(two, 'utf8')).toBe('new')
  })

  it('says where it cannot, and leaves all as it was', async () => {
    const folder = freshFolder()
    const [missing, two, below] = ['missing', 'two', 'two/below'].map((name) => join(folder, name))
    await writeFile(two!, 'old')
    expect(await linkAtomically(missing!, two!)).toBe(false)
    expect(await linkAtomically(two!, below!)).toBe(false)
    expect(await filesIn(folder)).toEqual(['two'])
    expect(await readFile(two!, 'utf8')).toBe('old')
  })
})

describe('receipts', () => {
  it('hold while the files are what they were', async () => {
    const folder = freshFolder()
    const receipt = join(folder, '.verified')
    const files = { a: noise(100, 1), b: noise(100, 2) }
    const write = async () => {
      for (const [name, bytes] of Object.entries(files)) {
        await writeFile(join(folder, name), bytes)
        await utimes(join(folder, name), 1000, 1000)
      }
      const hashes = new Map(Object.entries(files).map(([name, bytes]) => [name, sha256(bytes)]))
      await writeReceipt(receipt, 'source', folder, hashes)
    }
    await write()
    expect(await receiptHolds(receipt, 'source')).toBe(true)
    expect(await receiptHolds(receipt, 'other source')).toBe(false)
    await writeFile(join(folder, 'b'), noise(100, 3))
    expect(await receiptHolds(receipt, 'source')).toBe(false)
    await writeFile(join(folder, 'b'), files.b)
    expect(await receiptHolds(receipt, 'source')).toBe(true)
    await writeFile(join(folder, 'b'), noise(99, 2))
    await utimes(join(folder, 'b'), 1000, 1000)
    expect(await receiptHolds(receipt, 'source')).toBe(false)
    await write()
    await writeFile(receipt, '{"sha256":"source"')
    expect(await receiptHolds(receipt, 'source')).toBe(false)
    expect(await receiptHolds(join(folder, 'none'), 'source')).toBe(false)
  })
})

it('formatBytes', () => {
  expect([0, 999, 1000, 97_790_000, 5e12].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '97.8 MB',
    '5000.0 GB',
  ])
})
