import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'

const setup = new URL('setup.mjs', import.meta.url).href

/** Runs a module in a process of its own. */
function start(source: string, flags: readonly string[] = []) {
  const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => (out += String(data)))
  child.stderr.on('data', (data) => (err += String(data)))
  return new Promise<{ code: number | null; signal: string | null; out: string; err: string }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, out, err })),
  )
}

/** The same with the addon at hand. */
const script = (body: string, flags?: readonly string[]) =>
  start(
    `import * as workers from 'node:worker_threads'
     import { addon, begun, input, open, openStore, plan } from ${JSON.stringify(setup)}
     ${body}`,
    flags,
  )

const ended = (out: string, code = 0) => ({ code, signal: null, out, err: '' })

describe('the end of a process', () => {
  it('waits for promises, not for devices', async () => {
    const result = await script(`
      const { run } = await open(2)
      void run().then(({ y }) => console.log('done', y.byteLength))`)
    expect(result).toEqual(ended(`done ${2 * 64 * 56 * 56 * 4}\n`))
  })

  it('does not wait for a device without work', async () => {
    expect(await script(`globalThis.device = addon.openDevice('cpu'); console.log('open')`)).toEqual(
      ended('open\n'),
    )
  })

  it('leaves undisposed objects behind', async () => {
    expect(await script(`globalThis.kept = [await open(2), await open(3)]; console.log('ready')`)).toEqual(
      ended('ready\n'),
    )
  })

  const exits: [string, string][] = [
    ['with shutdown', `process.on('exit', () => addon.shutdown())`],
    ['without shutdown', ''],
    ['with two shutdowns', `process.on('exit', () => { addon.shutdown(); addon.shutdown() })`],
    [
      'with calls after shutdown',
      `process.on('exit', () => {
        addon.shutdown()
        void run().catch(() => {})
        device.close()
        program.dispose()
        try { addon.openDevice('cpu') } catch {}
      })`,
    ],
  ]
  for (const [name, hook] of exits) {
    it(`exits in mid-run ${name}`, async () => {
      const result = await script(`
        const { device, program, run } = await open(400)
        ${hook}
        void run().catch(() => {})
        void run().catch(() => {})
        await begun()
        console.log('exit')
        process.exit(7)`)
      expect(result).toEqual(ended('exit\n', 7))
    })

    it(`exits in mid-compile ${name}`, async () => {
      const result = await script(`
        const { device, program, store, run } = await open(2)
        ${hook}
        for (let i = 0; i < 50; i++) void device.compile(plan(400), store).catch(() => {})
        await begun()
        console.log('exit')
        process.exit(7)`)
      expect(result).toEqual(ended('exit\n', 7))
    })
  }

  it('dies of an uncaught error as any other process', async () => {
    const result = await script(`
      const { run } = await open(400)
      void run().catch(() => {})
      await begun()
      throw new Error('on purpose')`)
    expect(result).toMatchObject({ code: 1, signal: null })
    expect(result.err).toContain('on purpose')
  })

  it('exits while workers run', async () => {
    const worker = `
      import(${JSON.stringify(setup)}).then(async ({ open }) => {
        const { run } = await open(400)
        void run().catch(() => {});
        (await import('node:worker_threads')).parentPort.postMessage('running')
      })`
    const result = await script(`
      const { run } = await open(400)
      // The second one's work waits for the first one's.
      for (const message of ['message', 'online']) {
        const worker = new workers.Worker(${JSON.stringify(worker)}, { eval: true })
        await new Promise((resolve) => worker.once(message, resolve))
      }
      void run().catch(() => {})
      await begun()
      console.log('exit')
      process.exit(7)`)
    expect(result).toEqual(ended('exit\n', 7))
  })
})

describe('workers alone', () => {
  it('load the addon one after the other', async () => {
    // Nothing else in the process holds it: the first one's end would unload it under OpenMP's threads.
    const worker = `
      import(${JSON.stringify(setup)}).then(async ({ open }) => {
        const { run } = await open(2)
        console.log((await run()).y.byteLength)
      })`
    const process = `
      import { Worker } from 'node:worker_threads'
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(${JSON.stringify(worker)}, { eval: true })
        await new Promise((resolve) => worker.once('exit', resolve))
      }`
    const bytes = 2 * 64 * 56 * 56 * 4
    expect(await start(process)).toEqual(ended(`${bytes}\n`.repeat(5)))
  })
})

describe('garbage collection', () => {
  it('takes nothing that work needs', async () => {
    const result = await script(
      `
      async function start() {
        const { run } = await open(40)
        return [run(), run(), run()]
      }
      const pending = await start()
      for (let i = 0; i < 20; i++) {
        gc()
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      for (const promise of pending) {
        const y = new Float32Array((await promise).y)
        if (y.some((v) => v !== 1)) console.log('wrong')
      }
      console.log('done')`,
      ['--expose-gc'],
    )
    expect(result).toEqual(ended('done\n'))
  })

  it('frees what nobody holds', async () => {
    const result = await script(
      `
      const device = addon.openDevice('cpu')
      const settled = () => new Promise((resolve) => setTimeout(resolve, 20))
      async function once() {
        const { run, store } = await open(2, device)
        await run()
        await store.read('weight')
      }
      for (let i = 0; i < 5; i++) await once()
      for (let i = 0; i < 10 && device.memory().live > 0; i++) {
        gc()
        await settled()
      }
      console.log(device.memory().live)`,
      ['--expose-gc'],
    )
    expect(result).toEqual(ended('0\n'))
  })

  it('gives arrays of a store back when its last program ends on the executor', async () => {
    const result = await script(
      `
      const device = addon.openDevice('cpu')
      let collected = 0
      const registry = new FinalizationRegistry(() => collected++)
      async function once() {
        const store = device.createStore()
        const weight = new Float32Array(64 * 64 * 9)
        registry.register(weight, 0)
        store.define('weight', 'f32', [64, 64, 3, 3], weight)
        const program = await device.compile(plan(20), store)
        const pending = program.run(['forward'], input(), ['y'])
        program.dispose()
        store.dispose()
        await pending
      }
      for (let i = 0; i < 3; i++) await once()
      for (let i = 0; i < 50 && collected < 3; i++) {
        gc()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      console.log(collected)`,
      ['--expose-gc'],
    )
    expect(result).toEqual(ended('3\n'))
  })

  it('comes by itself where programs hold much memory', async () => {
    const result = await script(`
      const device = addon.openDevice('cpu')
      const store = device.createStore()
      const tensor = { dtype: 'f32', shape: [2 ** 24] }
      const large = {
        buffers: [tensor, tensor],
        instructions: [{ op: 'reshape', inputs: [0], outputs: [1], attributes: {}, path: '' }],
        phases: [{ name: 'forward', begin: 0, end: 1 }],
        inputs: [{ name: 'x', buffer: 0 }],
        outputs: [{ name: 'y', buffer: 1 }],
        parameters: [],
      }
      let arena = 0
      for (let i = 0; i < 100; i++) {
        arena = (await device.compile(large, store)).arenaBytes
        await new Promise((resolve) => setImmediate(resolve))
      }
      console.log(arena >= 2 ** 27, device.memory().peak < 50 * arena)`)
    expect(result).toEqual(ended('true true\n'))
  })

  it('does not grow over a thousand programs', async () => {
    const result = await script(
      `
      const device = addon.openDevice('cpu')
      const store = openStore(device)
      const round = async () => {
        for (let i = 0; i < 100; i++) {
          const program = await device.compile(plan(1), store)
          program.dispose()
        }
        gc()
        return device.memory().live
      }
      const first = await round()
      let last = first
      for (let i = 0; i < 9; i++) last = await round()
      console.log(last <= first)`,
      ['--expose-gc'],
    )
    expect(result).toEqual(ended('true\n'))
  })
})
