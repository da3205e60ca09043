import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { lenet5 } from '../../models/index.js'
import { WriteError } from '../../ts/errors.js'
import { writing } from '../../ts/io/write-pieces.js'
import { writeReport } from '../../ts/report/index.js'
import { MetricsLog } from '../../ts/train/metrics-log.js'
import { makeFolder } from '../../ts/train/saved-run.js'

const root = mkdtempSync(join(tmpdir(), 'fovea-full-disk-'))
afterAll(() => rmSync(root, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

/** From now on every file that is written to is on a full disk. */
async function fillDisk(): Promise<void> {
  const handle = await open(join(root, 'any'), 'w')
  const prototype = Object.getPrototypeOf(handle) as typeof handle
  await handle.close()
  const full = () =>
    Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }))
  vi.spyOn(prototype, 'write').mockImplementation(full)
  vi.spyOn(prototype, 'appendFile').mockImplementation(full)
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => Promise.reject(new Error('nothing was thrown')),
    (error: unknown) => error,
  )
}

function full(path: string): unknown {
  return expect.objectContaining({
    name: 'WriteError',
    code: 'WRITE',
    subject: path,
    message: `${path}: cannot be written: ENOSPC: no space left on device, write`,
    cause: expect.objectContaining({ code: 'ENOSPC' }) as unknown,
  })
}

describe('on a full disk', () => {
  test('weights are not saved, and those that were stay', async () => {
    const folder = mkdtempSync(join(root, 'weights-'))
    const path = join(folder, 'net.safetensors')
    const model = lenet5()
    await model.save(path)
    const before = readFileSync(path)
    await fillDisk()
    const error = await failure(model.save(path))
    expect(error).toBeInstanceOf(WriteError)
    expect(error).toEqual(full(path))
    vi.restoreAllMocks()
    expect(readFileSync(path)).toEqual(before)
    expect(readdirSync(folder)).toEqual(['net.safetensors'])
  })

  test('metrics are not written', async () => {
    const folder = mkdtempSync(join(root, 'metrics-'))
    const log = await MetricsLog.open(folder, undefined)
    await fillDisk()
    const event = { kind: 'skipped', index: 0, name: 'a.png', message: 'damaged' } as const
    expect(await failure(log.write(event))).toEqual(full(join(folder, 'metrics.jsonl')))
    await log.close()
  })

  test.skipIf(!existsSync('/dev/full'))('a report is not drawn', async () => {
    const folder = mkdtempSync(join(root, 'report-'))
    const line = { kind: 'step', epoch: 1, step: 1, steps: 2, loss: 1, accuracy: 0.5, lr: 0.1 }
    writeFileSync(join(folder, 'metrics.jsonl'), `${JSON.stringify(line)}\n`)
    for (const name of ['report.html', 'loss.svg']) {
      const path = join(folder, name)
      rmSync(path, { force: true })
      symlinkSync('/dev/full', path)
      expect(await failure(writeReport(folder))).toEqual(full(path))
    }
  })

  test.skipIf(!existsSync('/dev/full'))('the system says it itself', async () => {
    expect(await failure(writing('/dev/full', () => writeFile('/dev/full', 'x')))).toEqual(full('/dev/full'))
  })
})

test('a folder below a file cannot be made', async () => {
  const file = join(root, 'file')
  writeFileSync(file, '')
  const folder = join(file, 'run')
  expect(await failure(makeFolder(folder))).toMatchObject({
    code: 'WRITE',
    subject: folder,
    message: expect.stringMatching(/file\/run: cannot be made: ENOTDIR/) as string,
  })
})

test('an error of the package is handed on as it is', async () => {
  const error = new WriteError('mine')
  expect(await failure(writing('a', () => Promise.reject(error)))).toBe(error)
})
