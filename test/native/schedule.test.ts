import { describe, expect, it } from 'vitest'
import { addon, floats, noise, PlanBuilder, type Device, type Program, type Store } from './addon.js'

// One thread: results repeat bit for bit, and other tests run beside these.
const device = addon.openDevice('cpu', { threads: 1 })

function expectDisjoint(program: Program) {
  const blocks = program.arena()
  for (const [i, a] of blocks.entries()) {
    expect(a.offset + a.bytes).toBeLessThanOrEqual(program.arenaBytes)
    for (const b of blocks.slice(i + 1)) {
      const meet = a.first <= b.last && b.first <= a.last
      const overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes
      if (meet && overlap) expect.fail(`blocks ${JSON.stringify(a)} and ${JSON.stringify(b)} overlap`)
    }
  }
}

function weightStore(on: Device, names: readonly string[], shape: readonly number[]): Store {
  const store = on.createStore()
  const count = shape.reduce((a, b) => a * b, 1)
  for (const [i, name] of names.entries())
    store.define(
      name,
      'f32',
      shape,
      noise(count, i + 1).map((v) => v / 8),
    )
  return store
}

/** A random network of convolutions, sums and activations; every buffer may be asked for as an output. */
function randomPlan(seed: number, everything: boolean): PlanBuilder {
  const random = noise(200, seed)
  let next = 0
  const pick = <T>(list: readonly T[]) => list[Math.floor(((random[next++]! + 1) / 2) * list.length)]!
  const plan = new PlanBuilder().phase('forward')
  const weights = ['w0', 'w1'].map((name) => plan.parameter(name, [16, 16, 3, 3]))
  const values = [plan.input('x', [2, 16, 10, 10]), plan.input('z', [2, 16, 10, 10])]
  for (let i = 0; i < 25; i++) {
    const recent = values.slice(-5)
    const kind = pick(['convolution', 'add', 'relu', 'tanh', 'linear'])
    if (kind === 'convolution') values.push(plan.convolution(pick(recent), pick(weights)))
    else if (kind === 'add') values.push(plan.add(pick(recent), pick(recent)))
    else values.push(plan.elementwise(pick(recent), kind))
  }
  plan.output('y', values.at(-1)!)
  if (everything) for (const [i, value] of values.slice(2, -1).entries()) plan.output(`v${i}`, value)
  return plan
}

describe('memory', () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    'shares memory without a difference in the result (network %i)',
    async (seed) => {
      const store = weightStore(device, ['w0', 'w1'], [16, 16, 3, 3])
      const inputs = { x: noise(3200, 77), z: noise(3200, 78) }
      const tight = await device.compile(randomPlan(seed, false), store)
      const loose = await device.compile(randomPlan(seed, true), store)
      expectDisjoint(tight)
      expectDisjoint(loose)
      expect(tight.arenaBytes).toBeLessThan(loose.arenaBytes)
      const expected = floats((await loose.run(['forward'], inputs, ['y'])).y)
      expect(floats((await tight.run(['forward'], inputs, ['y'])).y)).toEqual(expected)
      expect(floats((await tight.run(['forward'], inputs, ['y'])).y)).toEqual(expected)
    },
  )

  it('gives a chain two blocks, and one where it may be in place', async () => {
    const shape = [1, 16, 32, 32]
    const chain = (length: number) => {
      const plan = new PlanBuilder().phase('forward')
      let x = plan.input('x', shape)
      for (let i = 0; i < length; i++) x = plan.elementwise(x)
      return plan.output('y', x)
    }
    const nowhere = device.createStore()
    const program = await device.compile(chain(10), nowhere)
    expect(program.describe().filter(({ inPlace }) => inPlace)).toHaveLength(9)
    expect(program.arenaBytes).toBe(2 * 16 * 32 * 32 * 4)
    const null_ = addon.openDevice('null')
    const plain = await null_.compile(chain(10), null_.createStore())
    expectDisjoint(plain)
    expect(plain.arenaBytes).toBe(2 * 16 * 32 * 32 * 4)
  })

  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'places blocks of any sizes (plan %i)',
    async (seed) => {
      const random = noise(300, seed).map((v) => (v + 1) / 2)
      let next = 0
      const below = (limit: number) => Math.floor(random[next++]! * limit)
      const plan = new PlanBuilder().phase('forward')
      const buffers = [plan.input('x', [1000])]
      // The null backend does not mind that shapes do not meet.
      for (let i = 0; i < 60; i++) {
        const y = plan.buffer([1 + below(10) ** 4])
        plan.run('softmax', [buffers[Math.max(0, buffers.length - 1 - below(8))]!], [y], { log: false })
        buffers.push(y)
      }
      const nowhere = addon.openDevice('null')
      const program = await nowhere.compile(plan.output('y', buffers.at(-1)!), nowhere.createStore())
      expectDisjoint(program)
      const all = program.arena()
      // No better than what is alive at once, and no worse than everything side by side.
      const alive = (step: number) =>
        all
          .filter(({ first, last }) => first <= step && step <= last)
          .reduce((sum, { bytes }) => sum + bytes, 0)
      expect(program.arenaBytes).toBeGreaterThanOrEqual(Math.max(...all.map(({ first }) => alive(first))))
      expect(program.arenaBytes).toBeLessThan(all.reduce((sum, { bytes }) => sum + bytes, 0) / 2)
    },
  )

  it('never derives constants over what waits for the next phase', async () => {
    const store = device.createStore()
    store.define('p', 'f32', [4, 32, 8, 8], noise(8192, 1))
    const plan = new PlanBuilder().phase('constants')
    const between = plan.elementwise(plan.parameter('p', [4, 32, 8, 8]))
    const constant = plan.buffer([4, 16, 8, 8])
    plan.run('slice', [between], [constant], { start: 8 })
    plan.phase('forward')
    const value = plan.elementwise(plan.input('x', [4, 16, 8, 8]), 'linear', 2, 0)
    plan.phase('backward')
    plan.output('y', plan.add(value, constant))
    const program = await device.compile(plan, store)
    expectDisjoint(program)
    const x = noise(4096, 2)
    await program.run(['forward'], { x }, [])
    await store.write('p', new Float32Array(8192).fill(1))
    const y = floats((await program.run(['backward'], {}, ['y'])).y)
    expect(y).toEqual(x.map((v) => 2 * v + 1))
  })

  it('refuses an input that would be copied over what waits for the next phase', async () => {
    const plan = new PlanBuilder().phase('forward')
    const x = plan.input('x', [4, 32, 8, 8])
    const shorter = plan.buffer([4, 16, 8, 8])
    plan.run('slice', [x], [shorter], { start: 0 })
    const value = plan.buffer([4, 8, 8, 8])
    plan.run('slice', [shorter], [value], { start: 0 })
    plan.phase('backward').output('y', plan.elementwise(value, 'linear', 2, 0))
    const program = await device.compile(plan, device.createStore())
    const inputs = { x: noise(8192, 3) }
    await program.run(['forward'], inputs, [])
    const late = { code: 'BUSY', subject: 'backward' }
    await expect(program.run(['backward'], inputs, ['y'])).rejects.toMatchObject(late)
    // Refused before anything was done.
    const y = floats((await program.run(['backward'], {}, ['y'])).y)
    expect(y).toEqual(floats((await program.run(['forward', 'backward'], inputs, ['y'])).y))
  })

  it('never writes over an input that another phase reads', async () => {
    const plan = new PlanBuilder().phase('forward')
    const x = plan.input('x', [64])
    plan.output('a', plan.elementwise(x, 'linear', 2, 0)).phase('backward')
    plan.output('b', plan.elementwise(x, 'linear', 3, 0))
    const program = await device.compile(plan, device.createStore())
    const input = { x: noise(64, 5) }
    await program.run(['forward'], input, [])
    const { a, b } = await program.run(['backward'], {}, ['a', 'b'])
    expect(floats(a)).toEqual(input.x.map((v) => 2 * v))
    expect(floats(b)).toEqual(input.x.map((v) => 3 * v))
  })
})

describe('layouts', () => {
  it('packs constant weights once, and anew when they change', async () => {
    const store = weightStore(device, ['w'], [32, 32, 3, 3])
    const plan = new PlanBuilder().phase('forward')
    const w = plan.parameter('w', [32, 32, 3, 3])
    const x = plan.input('x', [1, 32, 16, 16])
    plan.output('y', plan.convolution(plan.convolution(x, w, 'first'), w, 'second'))
    const program = await device.compile(plan, store)
    const packed = program.describe().filter(({ phase }) => phase === 'constants')
    expect(packed.map(({ op }) => op)).toEqual(['reorder'])
    expectDisjoint(program)

    const inputs = { x: noise(32 * 256, 3) }
    const before = floats((await program.run(['forward'], inputs, ['y'])).y)
    const old = floats(await store.read('w'))
    await store.write(
      'w',
      old.map((v) => v * 2),
    )
    const after = floats((await program.run(['forward'], inputs, ['y'])).y)
    expect(after).toEqual(before.map((v) => v * 4))
  })

  it('makes one reorder for two consumers', async () => {
    const store = weightStore(device, ['a', 'b'], [32, 32, 3, 3])
    const plan = new PlanBuilder().phase('forward')
    const x = plan.input('x', [1, 32, 16, 16])
    const a = plan.convolution(x, plan.parameter('a', [32, 32, 3, 3]))
    const b = plan.convolution(x, plan.parameter('b', [32, 32, 3, 3]))
    plan.output('y', plan.add(a, b))
    const program = await device.compile(plan, store)
    const reorders = program.describe().filter(({ phase, op }) => phase === 'forward' && op === 'reorder')
    expect(reorders).toHaveLength(2) // of x, and of y back to rows
  })
})

/** y = conv(x, w); loss gradient dy is an input; w and its velocity are updated in place. */
const SGD = { lrScale: 1, weightDecay: 0, maxNorm: 0, momentum: 0, nesterov: false }

function training(withFrozen = false): PlanBuilder {
  const shape = [32, 32, 3, 3]
  const attributes = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1], groups: 1 }
  const plan = new PlanBuilder().phase('forward')
  const w = plan.parameter('w', shape, true)
  const velocity = plan.parameter('velocity', shape, true)
  const x = plan.input('x', [3, 32, 12, 12])
  const inner = withFrozen ? plan.convolution(x, plan.parameter('frozen', shape), 'frozen') : x
  plan.output('y', plan.convolution(inner, w))
  plan.phase('backward')
  const dy = plan.input('dy', [3, 32, 12, 12])
  const dw = plan.buffer(shape)
  const dx = plan.buffer([3, 32, 12, 12])
  plan.run('convolutionBackwardWeights', [inner, dy], [dw, -1], attributes)
  plan.run('convolutionBackwardData', [dy, w], [dx], attributes)
  plan.output('dx', dx).output('dw', dw)
  plan.phase('update')
  plan.run('sgd', [w, dw, plan.input('rate', [4]), plan.input('norm', [1]), velocity], [w, velocity], {
    ...SGD,
    momentum: 0.5,
  })
  return plan
}

function trainingStore() {
  const store = weightStore(device, ['w', 'frozen'], [32, 32, 3, 3])
  store.define('velocity', 'f32', [32, 32, 3, 3], new Float32Array(32 * 32 * 9))
  return store
}

const x = noise(3 * 32 * 144, 10)
const dy = noise(3 * 32 * 144, 11)
/** The rate, the factor of gradients, and Adam's two corrections. */
const rate = Float32Array.of(0.25, 1, 1, 1)
const norm = Float32Array.of(1)

describe('updates', () => {
  it('keeps weights as kernels like them and updates them in place', async () => {
    const store = trainingStore()
    const w = floats(await store.read('w'))
    const program = await device.compile(training(), store)
    expectDisjoint(program)
    expect(floats(await store.read('w'))).toEqual(w) // whatever layout it has now
    const schedule = program.describe()
    const forward = schedule.filter(({ phase, op }) => phase === 'forward' && op === 'reorder')
    expect(forward.map(({ bytes }) => bytes)).not.toContain(32 * 32 * 9 * 4)
    expect(schedule.find(({ op }) => op === 'convolution')!.inputs[1]).not.toBe('oihw')
    expect(schedule.find(({ op }) => op === 'sgd')!.inPlace).toBe(true)
    expect(schedule.filter(({ phase }) => phase === 'constants')).toEqual([])

    const first = await program.run(['forward', 'backward', 'update'], { x, dy, rate, norm }, ['dw'])
    const dw = floats(first.dw)
    const stepped = floats(await store.read('w'))
    for (const i of [0, 17, 1000, 9215]) expect(stepped[i]).toBeCloseTo(w[i]! - 0.25 * dw[i]!, 4)
    expect(floats(await store.read('velocity'))).toEqual(dw)
  })

  it('gives the same in one call and phase by phase', async () => {
    const results: Float32Array[][] = []
    for (const split of [false, true]) {
      const store = trainingStore()
      const program = await device.compile(training(true), store)
      expectDisjoint(program)
      for (let step = 0; step < 3; step++) {
        if (split) {
          await program.run(['forward'], { x }, ['y'])
          await program.run(['backward'], { dy }, ['dx'])
          await program.run(['update'], { rate, norm }, [])
        } else await program.run(['forward', 'backward', 'update'], { x, dy, rate, norm }, [])
      }
      const { y, dx } = await program.run(['forward', 'backward'], { x, dy }, ['y', 'dx'])
      results.push([floats(y), floats(dx), floats(await store.read('w'))])
    }
    expect(results[1]).toEqual(results[0])
  })

  it.each([false, true])(
    'shows updates to another program on the store (that came first: %s)',
    async (first) => {
      const store = trainingStore()
      const plan = new PlanBuilder().phase('forward')
      plan.output(
        'y',
        plan.convolution(plan.input('x', [3, 32, 12, 12]), plan.parameter('w', [32, 32, 3, 3])),
      )
      const early = first ? await device.compile(plan, store) : undefined
      const trainer = await device.compile(training(), store)
      const evaluator = early ?? (await device.compile(plan, store))
      expect(evaluator.describe().some(({ phase }) => phase === 'constants')).toBe(first)
      await evaluator.run(['forward'], { x }, [])
      for (let step = 0; step < 2; step++) {
        await trainer.run(['forward', 'backward', 'update'], { x, dy, rate, norm }, [])
        const expected = floats((await trainer.run(['forward'], { x }, ['y'])).y)
        const got = floats((await evaluator.run(['forward'], { x }, ['y'])).y)
        for (const i of [0, 5, 777, 9215]) expect(got[i]).toBeCloseTo(expected[i]!, 3)
      }
    },
  )

  it('lets two training programs share a store', async () => {
    const store = trainingStore()
    const one = await device.compile(training(), store)
    const two = await device.compile(training(true), store)
    for (const program of [one, two, one])
      await program.run(['forward', 'backward', 'update'], { x, dy, rate, norm }, [])
    const alone = trainingStore()
    const other = await device.compile(training(), alone)
    await other.run(['forward', 'backward', 'update'], { x, dy, rate, norm }, [])
    other.dispose()
    const third = await device.compile(training(true), alone)
    await third.run(['forward', 'backward', 'update'], { x, dy, rate, norm }, [])
    third.dispose()
    const fourth = await device.compile(training(), alone)
    await fourth.run(['forward', 'backward', 'update'], { x, dy, rate, norm }, [])
    const a = floats(await store.read('w'))
    const b = floats(await alone.read('w'))
    for (const i of [0, 5, 777, 9215]) expect(a[i]).toBeCloseTo(b[i]!, 3)
  })

  it('reads what was updated, in whatever layout', async () => {
    const store = trainingStore()
    // Who binds the weights first keeps them as they are, so that every use of them needs a reorder.
    const holder = new PlanBuilder().phase('forward')
    holder.output('w', holder.elementwise(holder.parameter('w', [32, 32, 3, 3])))
    await device.compile(holder, store)
    const plan = new PlanBuilder().phase('forward')
    const w = plan.parameter('w', [32, 32, 3, 3], true)
    const x = plan.input('x', [3, 32, 12, 12])
    plan.output('before', plan.convolution(x, w))
    const velocity = plan.parameter('velocity', [32, 32, 3, 3], true)
    plan.run('sgd', [w, w, plan.input('rate', [4]), plan.input('norm', [1]), velocity], [w, velocity], {
      ...SGD,
      momentum: 1,
      weightDecay: 0.5,
    })
    plan.output('after', plan.convolution(x, w))
    const program = await device.compile(plan, store)
    expectDisjoint(program)
    expect(program.describe().find(({ op }) => op === 'sgd')!.inputs[0]).toBe('nchw')
    // w becomes w - rate * (w + w / 2)
    const result = await program.run(['forward'], { x: noise(3 * 32 * 144, 4), rate, norm }, [
      'before',
      'after',
    ])
    const [before, after] = [floats(result.before), floats(result.after)]
    for (const i of [0, 5, 777, 9215]) expect(after[i]).toBeCloseTo(before[i]! * (1 - 0.25 * 1.5), 3)
  })

  it('keeps weights as the first use has taken them', async () => {
    const results: number[] = []
    for (const plain of [false, true]) {
      const store = trainingStore()
      const plan = new PlanBuilder().phase('forward')
      const w = plan.parameter('w', [32, 32, 3, 3], true)
      if (plain) plan.output('w', plan.elementwise(w, 'linear', 1, 0))
      plan.output('y', plan.convolution(plan.input('x', [3, 32, 12, 12]), w))
      const velocity = plan.parameter('velocity', [32, 32, 3, 3], true)
      plan.phase('update')
      plan.run('sgd', [w, w, plan.input('rate', [4]), plan.input('norm', [1]), velocity], [w, velocity], SGD)
      const program = await device.compile(plan, store)
      const before = floats(await store.read('w'))
      const { y, ...copy } = await program.run(
        ['forward', 'update'],
        { x, rate, norm },
        plain ? ['y', 'w'] : ['y'],
      )
      if (plain) expect(floats(copy.w)).toEqual(before)
      results.push(floats(y)[777]!, floats(await store.read('w'))[777]!)
    }
    expect(results[2]).toBeCloseTo(results[0]!, 4)
    expect(results[3]).toBeCloseTo(results[1]!, 5)
  })

  it('refuses phases out of order', async () => {
    const program = await device.compile(training(), trainingStore())
    const busy = { code: 'BUSY', subject: 'update' }
    await expect(program.run(['update'], { rate, norm }, [])).rejects.toMatchObject(busy)
    await expect(program.run(['backward'], { dy }, [])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'x',
    })
    await program.run(['forward'], { x }, [])
    await program.run(['backward'], { dy }, [])
    await program.run(['update'], { rate, norm }, [])
    // The gradient is used up.
    await expect(program.run(['update'], { rate, norm }, [])).rejects.toMatchObject(busy)
    await expect(program.run(['forward'], {}, [])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'x',
    })
  })
})

describe('failures', () => {
  it('names the instruction that cannot be had', async () => {
    const plan = new PlanBuilder().phase('forward')
    const x = plan.input('x', [1, 16, 8, 8])
    plan.output('y', plan.convolution(x, plan.input('w', [16, 12, 3, 3]), 'layer1.0.conv1'))
    await expect(device.compile(plan, device.createStore())).rejects.toThrow(/convolution.*layer1\.0\.conv1/)
  })

  it('says how much memory a program would need', async () => {
    const plan = new PlanBuilder().phase('forward')
    plan.output('y', plan.elementwise(plan.input('x', [2 ** 20, 2 ** 20])))
    await expect(device.compile(plan, device.createStore())).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      message: expect.stringContaining(String(2 ** 43)) as string,
    })
  })
})
