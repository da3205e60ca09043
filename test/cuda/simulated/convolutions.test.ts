import { afterEach, describe, expect, test } from 'vitest'
import { buildSimulator } from '../../cudasim/build.js'
import { addon, convolution, PlanBuilder, type Device } from '../../native/addon.js'
import { simulator } from './device.js'

// How engines of cuDNN are chosen, and how programs are recorded. The simulator's engines (test/cudasim/
// graph_engines.cc) round to TF32, are not repeatable, want terabytes of scratch memory, or do not work.

type Choices = Record<string, string>
type CudaDevice = Device & { tuned(): Choices; useTuned(choices: Choices): void }

let device: CudaDevice | null = null
afterEach(() => {
  device?.close()
  device = null
})

async function open(options: Record<string, unknown> = {}): Promise<CudaDevice> {
  const folder = { path: process.env.FOVEA_CUDA_PATH ?? buildSimulator(), origin: 'test', driver: true }
  device = (await addon.openCudaDevice('cuda:0', { cudaFolders: [folder], ...options })) as CudaDevice
  return device
}

/** A third is rounded by whatever rounds. */
const x = new Float32Array(2 * 3 * 6 * 6).map((_, i) => (i % 7) / 3 - 1)
const weight = new Float32Array(4 * 3 * 3 * 3).map((_, i) => (i % 5) / 3 - 0.7)

async function program(on: Device) {
  const plan = new PlanBuilder()
  const image = plan.input('x', [2, 3, 6, 6])
  const weights = plan.parameter('weight', [4, 3, 3, 3])
  plan.phase('run')
  const y = plan.buffer([2, 4, 6, 6])
  plan.run('convolution', [image, weights, -1, -1], [y], { ...convolution, activation: 'relu' }, 'conv')
  plan.output('y', y)
  const store = on.createStore()
  store.define('weight', 'f32', [4, 3, 3, 3], weight.slice())
  const compiled = await on.compile(plan, store)
  const run = async () => new Float32Array((await compiled.run(['run'], { x }, ['y'])).y!)
  const line = compiled.describe().find(({ op }) => op === 'convolution')!
  return { run, line, dispose: () => compiled.dispose() }
}

async function onCpu(): Promise<Float32Array> {
  const cpu = addon.openDevice('cpu', { threads: 1 })
  try {
    return await (await program(cpu)).run()
  } finally {
    cpu.close()
  }
}

const furthest = (a: Float32Array, b: Float32Array) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

describe('the engine of a convolution', () => {
  test('computes in float32, and repeats bit for bit', async () => {
    const { run } = await program(await open())
    const first = await run()
    expect(furthest(first, await onCpu())).toBeLessThan(1e-5)
    expect(await run()).toEqual(first)
  })

  test('may round to TF32 where that is allowed', async () => {
    const { run } = await program(await open({ allowTf32: true }))
    const off = furthest(await run(), await onCpu())
    expect(off).toBeGreaterThan(1e-5)
    expect(off).toBeLessThan(1e-1)
  })

  test('keeps to a limit of scratch memory', async () => {
    const free = (await program(await open())).line.scratchBytes
    device?.close()
    const { run, line } = await program(await open({ workspaceLimit: 4 }))
    expect(free).toBeGreaterThan(4)
    expect(line.scratchBytes).toBeLessThanOrEqual(4)
    expect(furthest(await run(), await onCpu())).toBeLessThan(1e-5)
  })

  test('is timed once, and found again by what was stored', async () => {
    const tuned = await open({ tuning: 'fast' })
    const { line, run } = await program(tuned)
    expect(furthest(await run(), await onCpu())).toBeLessThan(1e-5)
    const stored = tuned.tuned()
    expect(Object.keys(stored)).toEqual([
      expect.stringMatching(/^convolution f32\[2, 3, 6, 6\].* relu cudnn\d+ /),
    ])
    expect(Object.values(stored)).toEqual([expect.stringMatching(/^\d+\/\d+\/\d+$/)])
    tuned.close()

    const before = simulator.get('launches')
    const other = await open({ tuning: 'fast' })
    other.useTuned(stored)
    const again = await program(other)
    expect(again.line.implementation).toBe(line.implementation)
    expect(other.tuned()).toEqual(stored)
    expect(simulator.get('launches')).toBe(before)
  })
})

test('a phase is recorded when it runs again, and replayed from then on', async () => {
  const { run } = await program(await open())
  const before = simulator.get('graphLaunches')
  const first = await run()
  expect(simulator.get('graphLaunches')).toBe(before)
  expect(await run()).toEqual(first)
  expect(simulator.get('graphLaunches')).toBeGreaterThan(before)
  const launches = simulator.get('graphLaunches')
  expect(await run()).toEqual(first)
  expect(simulator.get('graphLaunches')).toBe(launches + 1)
})
