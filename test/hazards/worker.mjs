import { parentPort, workerData } from 'node:worker_threads'
import { addon, begun, open, openStore, plan } from './setup.mjs'

const tasks = {
  async runs() {
    const { run } = await open(2)
    const results = await Promise.all(Array.from({ length: 5 }, () => run()))
    const right = results.filter(({ y }) => new Float32Array(y).every((v) => v === 1)).length
    parentPort.postMessage({ right })
  },
  async long() {
    const { run } = await open(400)
    run().catch(() => null)
    run().catch(() => null)
    parentPort.postMessage('running')
  },
  async queued() {
    parentPort.postMessage('opening')
    await tasks.long()
  },
  async adopted() {
    // So large that its memory goes back to the system as soon as it is freed.
    const shape = [2 ** 25]
    const device = addon.openDevice('cpu')
    const store = device.createStore()
    store.define('p', 'f32', shape, new Float32Array(shape[0]))
    const program = await device.compile(
      {
        buffers: Array.from({ length: 101 }, () => ({ dtype: 'f32', shape })),
        instructions: Array.from({ length: 100 }, (_, i) => ({
          op: 'elementwise',
          inputs: [0],
          outputs: [i + 1],
          attributes: { kind: 'tanh', alpha: 1, beta: 1 },
          path: '',
        })),
        phases: [{ name: 'forward', begin: 0, end: 100 }],
        inputs: [],
        outputs: [],
        parameters: [{ name: 'p', buffer: 0, updated: false }],
      },
      store,
    )
    program.run(['forward'], {}, []).catch(() => null)
    parentPort.postMessage('running')
  },
  async exit() {
    const { run } = await open(400)
    run().catch(() => null)
    await begun()
    process.exit(3)
  },
  async busy() {
    const device = addon.openDevice('cpu')
    const store = openStore(device)
    for (;;) {
      const program = await device.compile(plan(3), store)
      const token = new addon.CancelToken()
      const x = new Float32Array(2 * 64 * 56 * 56)
      const runs = [program.run(['forward'], { x }, ['y']), program.run(['forward'], { x }, ['y'], token)]
      token.cancel()
      await Promise.allSettled(runs)
      await store.read('weight')
      program.dispose()
    }
  },
}

await tasks[workerData]()
