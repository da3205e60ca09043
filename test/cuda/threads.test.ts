import { join } from 'node:path'
import { expect, test } from 'vitest'
import { node, root } from '../cli/fovea.js'
import { FakeCuda } from './fakes/libraries.js'

// Each CUDA device has a thread of its own.

/** Runs a module that opens devices of a fake installation. */
async function run(body: string): Promise<string> {
  const { folder } = await FakeCuda.complete()
  const module = join(root, 'dist/ts/index.js')
  const { code, stdout, stderr } = await node(
    ['--expose-gc', '--input-type=module', '-e', `import { Device } from '${module}'\n${body}`],
    { FOVEA_CUDA_PATH: folder },
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

test('the thread of a device ends after the device', async () => {
  const counts = await run(`
    import { readdirSync } from 'node:fs'
    import { setTimeout as wait } from 'node:timers/promises'
    const threads = () => readdirSync('/proc/self/task').length
    const openAndClose = async () => { (await Device.open('cuda')).close() }
    await openAndClose()
    const before = threads()
    for (let i = 0; i < 20; i++) {
      await openAndClose()
      globalThis.gc()
      await wait(0)
    }
    await openAndClose()
    console.log(JSON.stringify([before, threads()]))`)
  const [before, after] = JSON.parse(counts) as [number, number]
  expect(after - before).toBeLessThan(5)
})

test('several devices are open at once', async () => {
  const out = await run(`
    const devices = await Promise.all([1, 2, 3].map(() => Device.open('cuda')))
    console.log(devices.map(({ kind }) => kind).join())`)
  expect(out).toBe('cuda,cuda,cuda\n')
})

test('a process does not wait for an open device', async () => {
  expect(await run(`globalThis.device = await Device.open('cuda'); console.log('open')`)).toBe('open\n')
})

test('a process may exit while a device opens', async () => {
  expect(await run(`void Device.open('cuda'); setTimeout(() => process.exit(0), 30)`)).toBe('')
})

test('a worker with an open device may be terminated', async () => {
  const module = join(root, 'dist/ts/index.js')
  const out = await run(`
    import { Worker } from 'node:worker_threads'
    import { once } from 'node:events'
    const worker = new Worker(\`
      Promise.all([import('${module}'), import('node:worker_threads')]).then(async ([{ Device }, { parentPort }]) => {
        globalThis.device = await Device.open('cuda')
        parentPort.postMessage(device.kind)
        setInterval(() => {}, 1000)
      })\`, { eval: true })
    console.log((await once(worker, 'message'))[0])
    await worker.terminate()
    console.log((await Device.open('cuda')).kind)`)
  expect(out).toBe('cuda\ncuda\n')
})
