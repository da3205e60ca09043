import { describe, expect, it } from 'vitest'
import { addon, longInput, longPlan, longStore, ones, type Program } from '../native/addon.js'

const begun = () => new Promise((resolve) => setTimeout(resolve, 100))
const device = addon.openDevice('cpu', { threads: 2 })
const store = longStore(device)

const run = (program: Program, token?: unknown) => program.run(['forward'], longInput(), ['y'], token)

describe('taking work back', () => {
  it('stops what runs between two instructions, and runs again', async () => {
    const program = await device.compile(longPlan(), store)
    const token = new addon.CancelToken()
    const stopped = run(program, token)
    await begun()
    token.cancel()
    await expect(stopped).rejects.toMatchObject({
      code: 'ABORTED',
      message: 'the work was taken back while it ran',
    })
    // What was computed of it is not taken for a result.
    await expect(program.run([], {}, ['y'])).rejects.toMatchObject({ code: 'BUSY', subject: 'y' })
    const short = await device.compile(longPlan(2), store)
    await expect(run(short, token)).rejects.toMatchObject({ code: 'ABORTED' })
    expect(ones((await run(short)).y)).toBe(true)
    program.dispose()
  })

  it('takes queued work out, while other work goes on', async () => {
    const program = await device.compile(longPlan(), store)
    const short = await device.compile(longPlan(2), store)
    const [first, second] = [new addon.CancelToken(), new addon.CancelToken()]
    const order: string[] = []
    const note = (name: string, promise: Promise<unknown>) =>
      promise.then(
        () => order.push(name),
        (error: unknown) => order.push(`${name} ${(error as { code: string }).code}`),
      )
    const all = [
      note('running', run(program, first)),
      note('queued', run(short, second)),
      note('compile', device.compile(longPlan(2), store, second)),
      note('kept', run(short)),
    ]
    await begun()
    second.cancel()
    await all[1]
    await all[2]
    // Long before the work that was ahead of it is done.
    expect(order).toEqual(['queued ABORTED', 'compile ABORTED'])
    first.cancel()
    first.cancel()
    await Promise.all(all)
    expect(order.slice(2)).toEqual(['running ABORTED', 'kept'])
    program.dispose()
  })

  it('rejects queued work when the device closes, and lets the running end', async () => {
    const own = addon.openDevice('cpu', { threads: 2 })
    const ownStore = longStore(own)
    const program = await own.compile(longPlan(), ownStore)
    const running = run(program)
    const queued = run(program)
    const kept = ownStore.read('weight')
    await begun()
    own.close()
    await expect(queued).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(kept).rejects.toMatchObject({ code: 'ABORTED' })
    expect((await running).y!.byteLength).toBe(longInput().x.byteLength)
  })
})

describe('disposing', () => {
  it('never frees under running or queued work', async () => {
    const own = addon.openDevice('cpu', { threads: 2 })
    const ownStore = longStore(own)
    const program = await own.compile(longPlan(40), ownStore)
    const running = run(program)
    const queued = run(program)
    program.dispose()
    ownStore.dispose()
    expect(own.memory().live).toBeGreaterThan(0)
    await expect(run(program)).rejects.toMatchObject({ code: 'DISPOSED' })
    for (const promise of [running, queued]) expect(ones((await promise).y)).toBe(true)
    // The last work has gone with the executor's next breath.
    await own
      .createStore()
      .read('nothing')
      .catch(() => null)
    expect(own.memory().live).toBe(0)
  })
})
