import { describe, expect, it } from 'vitest'
import { addon, convolution, noise, PlanBuilder } from './addon.js'

const device = addon.openDevice('null')
const store = device.createStore()
store.define('weight', 'f32', [4, 4, 3, 3], new Float32Array(144))

function valid() {
  const plan = new PlanBuilder().phase('forward')
  const x = plan.input('x', [1, 4, 8, 8])
  const y = plan.convolution(x, plan.parameter('weight', [4, 4, 3, 3]))
  return plan.output('y', plan.add(x, y))
}

describe('devices', () => {
  it('refuses an unknown name', () => {
    expect(() => addon.openDevice('abacus')).toThrow(expect.objectContaining({ code: 'DEVICE_UNAVAILABLE' }))
  })

  it.each([0, -1, 1.5, NaN, 'two', null])('refuses %s threads', (threads) => {
    expect(() => addon.openDevice('cpu', { threads })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', subject: 'threads' }),
    )
  })

  it('does not let scripts make its objects', () => {
    const Class = device.constructor as new (...args: unknown[]) => unknown
    expect(() => new Class()).toThrow('Illegal constructor')
    expect(() => new Class({})).toThrow('Illegal constructor')
  })
})

describe('malformed plans', () => {
  const cases: [string, string, (plan: ReturnType<typeof valid>) => unknown][] = [
    ['no plan', 'plan', () => undefined],
    ['a missing list', 'plan.phases', (plan) => Object.assign(plan, { phases: undefined })],
    ['an unknown dtype', 'plan.buffers[0].dtype', (plan) => (plan.buffers[0]!.dtype = 'f64')],
    ['a dimension of zero', 'plan.buffers[0].shape', (plan) => (plan.buffers[0]!.shape = [0, 4])],
    [
      'a shape beyond memory',
      'plan.buffers[0].shape',
      (plan) => (plan.buffers[0]!.shape = [2 ** 40, 2 ** 40]),
    ],
    ['a broken dimension', 'plan.buffers[0].shape[1]', (plan) => (plan.buffers[0]!.shape = [1, 2.5])],
    ['an unknown operation', 'plan.instructions[0].op', (plan) => (plan.instructions[0]!.op = 'conv')],
    [
      'a missing attribute',
      'plan.instructions[0].attributes.groups',
      (plan) => (plan.instructions[0]!.attributes = { ...convolution, groups: undefined }),
    ],
    [
      'an unknown attribute',
      'plan.instructions[0].attributes.strides',
      (plan) => (plan.instructions[0]!.attributes = { ...convolution, strides: [1, 1] }),
    ],
    [
      'a pair of three',
      'plan.instructions[0].attributes.stride',
      (plan) => (plan.instructions[0]!.attributes = { ...convolution, stride: [1, 1, 1] }),
    ],
    [
      'an unknown word',
      'plan.instructions[0].attributes.activation',
      (plan) => (plan.instructions[0]!.attributes = { ...convolution, activation: 'gelu' }),
    ],
    [
      'a number that is none',
      'plan.instructions[0].inputs[0]',
      (plan) => (plan.instructions[0]!.inputs[0] = NaN),
    ],
    [
      'a buffer out of range',
      'plan.instructions[0].inputs[0]',
      (plan) => (plan.instructions[0]!.inputs[0] = 99),
    ],
    [
      'a read before the write',
      'plan.instructions[0].inputs[0]',
      (plan) => (plan.instructions[0]!.inputs[0] = 3),
    ],
    [
      'a second write',
      'plan.instructions[1].outputs[0]',
      (plan) => Object.assign(plan.instructions[1]!, { inputs: [0, 0], outputs: [2] }),
    ],
    [
      'a write to an input',
      'plan.instructions[1].outputs[0]',
      (plan) => (plan.instructions[1]!.outputs[0] = 0),
    ],
    [
      'an update that is not marked',
      'plan.instructions[1].outputs[0]',
      (plan) => (plan.instructions[1]!.outputs[0] = 1),
    ],
    [
      'a path that is none',
      'plan.instructions[0].path',
      (plan) => Object.assign(plan.instructions[0]!, { path: 3 }),
    ],
    ['a gap between phases', 'plan.phases[0].begin', (plan) => (plan.phases[0]!.begin = 1)],
    ['phases that end early', 'plan.phases', (plan) => (plan.phases[0]!.end = 1)],
    [
      'constants that read an input',
      'plan.instructions[0].inputs[0]',
      (plan) => (plan.phases[0]!.name = 'constants'),
    ],
    ['two inputs of one name', 'plan.inputs[1].name', (plan) => plan.input('x', [1])],
    ['an input that is a parameter', 'plan.parameters[0].buffer', (plan) => (plan.parameters[0]!.buffer = 0)],
    ['an output that nobody writes', 'plan.outputs[1].buffer', (plan) => plan.output('z', plan.buffer([1]))],
    [
      'an update that is no flag',
      'plan.parameters[0].updated',
      (plan) => Object.assign(plan.parameters[0]!, { updated: 1 }),
    ],
  ]
  it.each(cases)('%s: %s', async (_, subject, spoil) => {
    const plan = valid()
    const spoilt = spoil(plan)
    const whole = subject === 'plan' || (subject === 'plan.phases' && typeof spoilt === 'object')
    await expect(device.compile(whole ? spoilt : plan, store)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject,
    })
  })

  it('compiles when nothing is spoilt', async () => {
    const program = await device.compile(valid(), store)
    expect(program.describe().map(({ op }) => op)).toEqual(['convolution', 'add'])
  })
})

describe('stores', () => {
  it('names the parameter that it does not have', async () => {
    await expect(device.compile(valid(), device.createStore())).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'weight',
    })
  })

  it('names shapes that do not meet', async () => {
    const other = device.createStore()
    other.define('weight', 'f32', [8, 4, 3, 3], new Float32Array(288))
    await expect(device.compile(valid(), other)).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      subject: 'weight',
      expected: 'f32 [4, 4, 3, 3]',
      got: 'f32 [8, 4, 3, 3]',
    })
    // What failed has not bound it.
    other.define('weight', 'f32', [4, 4, 3, 3], new Float32Array(144))
    await device.compile(valid(), other)
  })

  it('belongs to one device', async () => {
    await expect(addon.openDevice('null').compile(valid(), store)).rejects.toMatchObject({ subject: 'store' })
    await expect(device.compile(valid(), {})).rejects.toMatchObject({ subject: 'store' })
    await expect(device.compile(valid(), device)).rejects.toMatchObject({ subject: 'store' })
  })

  it('writes and reads', async () => {
    const own = device.createStore()
    const first = noise(12, 1)
    own.define('a', 'f32', [3, 4], first)
    expect(new Float32Array(await own.read('a'))).toEqual(first)
    const second = noise(12, 2)
    const written = own.write('a', second)
    const expected = second.slice()
    second.fill(0)
    await written
    expect(new Float32Array(await own.read('a'))).toEqual(expected)
  })

  it('refuses what does not fit', async () => {
    const own = device.createStore()
    expect(() => own.define('a', 'f32', [3], new Float32Array(4))).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH', subject: 'a' }),
    )
    expect(() => own.define('a', 'f32', [-3], new Float32Array(3))).toThrow(
      expect.objectContaining({ subject: 'a.shape' }),
    )
    expect(() => own.define('a', 'f32', [3], [1, 2, 3])).toThrow(expect.objectContaining({ subject: 'a' }))
    const resizable: unknown = Reflect.construct(ArrayBuffer, [12, { maxByteLength: 24 }])
    expect(() => own.define('a', 'f32', [3], new Float32Array(resizable as ArrayBuffer))).toThrow(
      'fixed length',
    )
    await expect(own.read('a')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', subject: 'a' })
    own.define('a', 'f32', [3], new Float32Array(3))
    await expect(own.write('a', new Float32Array(2))).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' })
  })

  it('keeps a bound tensor where it is, and replaces others', async () => {
    const own = device.createStore()
    own.define('weight', 'f32', [4, 4, 3, 3], new Float32Array(144))
    own.define('weight', 'f32', [4, 4, 3, 3], new Float32Array(144).fill(2))
    const program = await device.compile(valid(), own)
    expect(() => own.define('weight', 'f32', [4, 4, 3, 3], new Float32Array(144))).toThrow(
      expect.objectContaining({ code: 'BUSY', subject: 'weight' }),
    )
    program.dispose()
    own.define('weight', 'f32', [1], new Float32Array(1))
    expect((await own.read('weight')).byteLength).toBe(4)
  })
})

describe('calls', () => {
  const x = new Float32Array(256)

  it('names what does not fit', async () => {
    const program = await device.compile(valid(), store)
    await expect(program.run(['forwards'], { x }, [])).rejects.toMatchObject({ subject: 'forwards' })
    await expect(program.run(['forward'], { image: x }, [])).rejects.toMatchObject({
      subject: 'image',
      expected: 'x',
    })
    await expect(program.run(['forward'], { x }, ['z'])).rejects.toMatchObject({
      subject: 'z',
      expected: 'y',
    })
    await expect(program.run(['forward'], { x: new Float32Array(255) }, [])).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      subject: 'x',
      expected: '1024 bytes',
      got: '1020 bytes',
    })
    await expect(program.run(['forward'], { x: 1 }, [])).rejects.toMatchObject({ subject: 'x' })
    await expect(program.run(['forward'], {}, [])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      subject: 'x',
    })
    await expect(program.run('forward', { x }, [])).rejects.toMatchObject({ subject: 'phases' })
    await expect(program.run(['forward'], { x }, ['y'], {})).rejects.toMatchObject({ subject: 'token' })
    expect(Object.keys(await program.run(['forward'], { x }, ['y']))).toEqual(['y'])
  })

  it('refuses work after the end', async () => {
    const own = addon.openDevice('null')
    const ownStore = own.createStore()
    ownStore.define('weight', 'f32', [4, 4, 3, 3], new Float32Array(144))
    const program = await own.compile(valid(), ownStore)
    const other = await own.compile(valid(), ownStore)
    program.dispose()
    program.dispose()
    await expect(program.run(['forward'], { x }, [])).rejects.toMatchObject({ code: 'DISPOSED' })
    expect(() => program.describe()).toThrow(expect.objectContaining({ code: 'DISPOSED' }))
    ownStore.dispose()
    await expect(ownStore.read('weight')).rejects.toMatchObject({ code: 'DISPOSED' })
    await other.run(['forward'], { x }, ['y'])
    own.close()
    await expect(other.run(['forward'], { x }, ['y'])).rejects.toMatchObject({ code: 'DISPOSED' })
    expect(() => own.createStore()).toThrow(expect.objectContaining({ code: 'DISPOSED' }))
    other.dispose()
    expect(own.memory().live).toBe(0)
  })
})
