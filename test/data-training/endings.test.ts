import { spawn } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { beforeAll, describe, expect, it } from 'vitest'
import { loader } from '../../ts/data/loader/loader.js'
import { AbortError } from '../../ts/errors.js'
import { temporaryFolder } from '../data-loading/helpers.js'
import { all, memoryDataset, PLAIN, writeImages } from './helpers.js'

const dist = (path: string) => JSON.stringify(new URL(`../../dist/ts/data/${path}`, import.meta.url).href)
const folder = temporaryFolder()
beforeAll(() => writeImages(folder, 2, 8))

/** Runs a module that has a loader of JPEGs at hand in a process of its own, which must end by itself. */
function script(body: string) {
  const source = `
    import { readdirSync } from 'node:fs'
    import { loader } from ${dist('loader/loader.js')}
    import { openFolder } from ${dist('datasets/folder.js')}
    import { TORCHVISION } from ${dist('preprocessing.js')}
    const dataset = await openFolder(${JSON.stringify(folder)}, 'train')
    const options = { batch: 4, preprocessing: TORCHVISION, workers: 2, transforms: [{ kind: 'randomResizedCrop' }] }
    ${body}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => (out += String(data)))
  child.stderr.on('data', (data) => (err += String(data)))
  return new Promise((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, out: out.trim(), err })),
  )
}

const ended = (out: string) => ({ code: 0, signal: null, out, err: '' })

describe('a process ends', () => {
  it('after an epoch', async () => {
    const body = `let n = 0; for await (const { images } of loader(dataset, options)) n += images.shape[0]; console.log(n)`
    expect(await script(body)).toEqual(ended('16'))
  })

  it('when an epoch is left early', async () => {
    expect(
      await script(`for await (const _ of loader(dataset, options)) break; console.log('left')`),
    ).toEqual(ended('left'))
  })

  it('when an iterator is simply forgotten', async () => {
    const body = `globalThis.kept = loader(dataset, options); await kept.next(); console.log('forgotten')`
    expect(await script(body)).toEqual(ended('forgotten'))
  })

  it('after a failure', async () => {
    const body = `
      const broken = Object.create(dataset, { path: { value: () => '/nowhere.jpg' } })
      try { for await (const _ of loader(broken, options)); } catch (error) { console.log(error.message) }`
    expect(await script(body)).toEqual(ended('cannot read /nowhere.jpg: no such file'))
  })

  it('after an abort', async () => {
    const body = `
      const controller = new AbortController()
      const batches = loader(dataset, { ...options, signal: controller.signal })
      await batches.next()
      controller.abort()
      try { await batches.next(); console.log('went on') } catch (error) { console.log(error.name, error.code) }`
    expect(await script(body)).toEqual(ended('AbortError ABORTED'))
  })

  it('not before the batch that it waits for', async () => {
    const body = `
      void (async () => { console.log((await loader(dataset, options).next()).value.images.shape.join()) })()`
    expect(await script(body)).toEqual(ended('4,3,224,224'))
  })

  it('with workers begun and left over and over', async () => {
    const body = `
      for (let i = 0; i < 6; i++) {
        const batches = loader(dataset, { ...options, epoch: i })
        if (i % 3) await batches.next()
        else void batches.next().catch(() => {})
        await new Promise((resolve) => setTimeout(resolve, 15 * i))
        await batches.return()
      }
      console.log('done')`
    expect(await script(body)).toEqual(ended('done'))
  })

  it('at once in the middle of everything', async () => {
    const body = `
      void loader(dataset, options).next()
      await new Promise((resolve) => setTimeout(resolve, 120))
      console.log('exit')
      process.exit()`
    expect(await script(body)).toEqual(ended('exit'))
  })

  it.runIf(process.platform === 'linux')('without its workers, which had the lower priority', async () => {
    const body = `
      const { readFileSync } = await import('node:fs')
      const nice = (thread) => {
        try {
          return Number(readFileSync('/proc/self/task/' + thread + '/stat', 'utf8').split(') ')[1].split(' ')[16])
        } catch {
          return -20 // It is gone.
        }
      }
      const own = nice(process.pid)
      const lower = () => readdirSync('/proc/self/task').filter((thread) => nice(thread) > own).length
      const counts = [lower()]
      const batches = loader(dataset, options)
      await batches.next()
      counts.push(lower())
      await batches.return()
      counts.push(lower())
      for await (const _ of loader(dataset, options)) counts[3] = lower()
      counts.push(lower())
      console.log(nice(process.pid) === own, counts.join())`
    expect(await script(body)).toEqual(ended('true 0,2,0,2,0'))
  })
})

it('the end of a worker is an error, not a wait without end', async () => {
  process.once('worker', (worker) => void worker.terminate())
  const batches = loader(memoryDataset(8), { batch: 2, preprocessing: PLAIN, workers: 1 })
  await expect(batches.next()).rejects.toThrow('a loader thread ended')
})

describe('an abort', () => {
  it('rejects the batch that is waited for, with its reason', async () => {
    const controller = new AbortController()
    const stuck = {
      name: 'stuck',
      classes: ['a'],
      size: 8,
      label: () => 0,
      get: () => new Promise<never>(() => undefined),
    }
    const batches = loader(stuck, { batch: 2, preprocessing: PLAIN, workers: 1, signal: controller.signal })
    const waiting = batches.next()
    setTimeout(() => controller.abort('enough'), 50)
    await expect(waiting).rejects.toThrow(AbortError)
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
    expect(await batches.next()).toEqual({ done: true, value: undefined })
  })

  it('before the beginning starts nothing', async () => {
    const signal = AbortSignal.abort()
    const get = () => Promise.reject(new Error('was asked'))
    const untouched = { name: 'untouched', classes: ['a'], size: 4, label: () => 0, get }
    await expect(all(loader(untouched, { batch: 2, preprocessing: PLAIN, signal }))).rejects.toThrow(
      AbortError,
    )
  })

  it('leaves no listener behind', async () => {
    const { signal } = new AbortController()
    await all(loader(memoryDataset(40), { batch: 2, preprocessing: PLAIN, workers: 1, signal }))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})
