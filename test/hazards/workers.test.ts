import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { addon, longInput, longPlan, longStore, ones } from '../native/addon.js'

const file = fileURLToPath(new URL('worker.mjs', import.meta.url))

function start(task: string) {
  const worker = new Worker(file, { workerData: task })
  const message = new Promise<unknown>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  const exit = new Promise<number>((resolve) => worker.once('exit', resolve))
  return { worker, message, exit }
}

async function worksHere() {
  const device = addon.openDevice('cpu')
  const program = await device.compile(longPlan(2), longStore(device))
  expect(ones((await program.run(['forward'], longInput(), ['y'])).y)).toBe(true)
  program.dispose()
}

describe('worker threads', () => {
  it('run four at once', async () => {
    const workers = Array.from({ length: 4 }, () => start('runs'))
    await worksHere()
    for (const { message, exit } of workers) {
      expect(await message).toEqual({ right: 5 })
      expect(await exit).toBe(0)
    }
  })

  it('may be terminated in mid-run', async () => {
    const first = start('long')
    expect(await first.message).toBe('running')
    // Their work waits for the first one's.
    const others = [start('queued'), start('queued')]
    for (const { message } of others) expect(await message).toBe('opening')
    await new Promise((resolve) => setTimeout(resolve, 50))
    for (const { worker } of [others[0]!, first, others[1]!]) expect(await worker.terminate()).toBe(1)
    await worksHere()
  })

  it('may be terminated while kernels read their arrays', async () => {
    for (let i = 0; i < 4; i++) {
      const { worker, message } = start('adopted')
      expect(await message).toBe('running')
      await new Promise((resolve) => setTimeout(resolve, 100))
      await worker.terminate()
    }
    await worksHere()
  })

  it('may be terminated at any moment', async () => {
    for (let i = 0; i < 12; i++) {
      const { worker, message } = start('busy')
      message.catch(() => null)
      await new Promise((resolve) => worker.once('online', resolve))
      await new Promise((resolve) => setTimeout(resolve, i * 15))
      await worker.terminate()
    }
    await worksHere()
  })

  it('may exit in mid-run', async () => {
    const { exit } = start('exit')
    expect(await exit).toBe(3)
    await worksHere()
  })

  it('do not take back the work of others', async () => {
    const device = addon.openDevice('cpu')
    const program = await device.compile(longPlan(40), longStore(device))
    const { worker, message } = start('long')
    expect(await message).toBe('running')
    const mine = [1, 2, 3].map(() => program.run(['forward'], longInput(), ['y']))
    await worker.terminate()
    for (const promise of mine) expect(ones((await promise).y)).toBe(true)
  })
})
