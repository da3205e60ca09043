import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openCheckpoint, type CheckpointTensor } from '../../ts/io/checkpoint.js'
import { statePickle, writeZip } from './builders.js'
import {
  cifar,
  expected,
  failure,
  failureOf,
  odd,
  readAll,
  temporaryFolder,
  withCheckpoint,
} from './files.js'

const folder = temporaryFolder()

const numbers = { inf: Infinity, '-inf': -Infinity, nan: NaN }

async function contents(tensors: ReadonlyMap<string, CheckpointTensor>): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const [name, tensor] of tensors) {
    expect(tensor.name).toBe(name)
    found[name] = { shape: tensor.shape, dtype: tensor.dtype, values: [...(await tensor.read())] }
  }
  return found
}

describe('published ResNets', () => {
  it.each(Object.keys(expected.cifar))('%s holds exactly what PyTorch reads from it', async (file) => {
    await withCheckpoint(cifar(file), async ({ tensors }) => {
      const found: Record<string, unknown> = {}
      for (const [name, tensor] of tensors) {
        const sha256 = createHash('sha256')
          .update(await tensor.read())
          .digest('hex')
        found[name] = { shape: tensor.shape, dtype: tensor.dtype, sha256 }
      }
      expect(found).toEqual(expected.cifar[file])
    })
  })

  it('of all containers are equal, element for element, but for the counters that the oldest lacks', async () => {
    const legacy = await readAll(cifar('resnet20-12fca82f.th'))
    const zip = await readAll(cifar('resnet20-zip.pth'))
    const safetensors = await readAll(cifar('resnet20.safetensors'))
    expect(legacy.size).toBe(97)
    expect([...zip.keys()].sort()).toEqual([...safetensors.keys()].sort())
    for (const [name, values] of zip) {
      expect(values).toEqual(safetensors.get(name))
      if (!name.endsWith('num_batches_tracked')) expect(values).toEqual(legacy.get(name))
    }
    expect([...zip.keys()].filter((name) => !name.endsWith('num_batches_tracked'))).toEqual([
      ...legacy.keys(),
    ])
  })

  it.each([
    ['resnet20-12fca82f.th', 'pytorch-legacy'],
    ['resnet20-zip.pth', 'pytorch-zip'],
    ['resnet20.safetensors', 'safetensors'],
  ])('%s is recognised by its content', async (file, format) => {
    await withCheckpoint(cifar(file), (checkpoint) => {
      expect(checkpoint.format).toBe(format)
      expect(checkpoint.path).toBe(cifar(file))
      return Promise.resolve()
    })
  })
})

describe('odd files', () => {
  it.each(Object.keys(expected.tensors))('%s reads as PyTorch reads it', async (file) => {
    const wanted = Object.entries(expected.tensors[file]!).map(([name, { values, ...rest }]) => {
      return [name, { ...rest, values: values.map((v) => (typeof v === 'string' ? numbers[v] : v)) }]
    })
    await withCheckpoint(odd(file), async ({ tensors }) => {
      const found = await contents(tensors)
      expect(found).toEqual(Object.fromEntries(wanted))
      if (!file.endsWith('.safetensors')) expect([...tensors.keys()]).toEqual(wanted.map(([name]) => name))
    })
  })

  it('gives whole numbers exactly', async () => {
    for (const file of ['dtypes.pth', 'dtypes-legacy.pth', 'dtypes.safetensors'])
      await withCheckpoint(odd(file), async ({ tensors }) => {
        for (const [name, values] of Object.entries(expected.exact))
          expect([...(await tensors.get(name)!.readInt64())].map(String)).toEqual(values)
        expect([...(await tensors.get('i8')!.readInt64())]).toEqual([0n, -1n, 127n, -128n, 5n])
        expect([...(await tensors.get('bool')!.readInt64())]).toEqual([1n, 0n, 1n])
        expect(await failureOf(tensors.get('f16')!.readInt64())).toMatchObject({ code: 'INVALID_ARGUMENT' })
      })
    await withCheckpoint(odd('views.pth'), async ({ tensors }) => {
      expect([...(await tensors.get('long_t')!.readInt64())]).toEqual([0n, 3n, 1n, 4n, 2n, 5n])
    })
  })

  it('gives the texts of a safetensors file', async () => {
    await withCheckpoint(odd('dtypes.safetensors'), ({ metadata }) => {
      expect([...metadata].sort()).toEqual([
        ['format', 'pt'],
        ['note', 'two\nlines ü'],
      ])
      return Promise.resolve()
    })
  })

  it('reads tensors at once and again', async () => {
    await withCheckpoint(odd('deflated.pth'), async ({ tensors }) => {
      const [once, ...others] = await Promise.all([0, 1, 2].map(() => contents(tensors)))
      for (const other of others) expect(other).toEqual(once)
    })
  })

  it('refuses to read once closed, and closes twice', async () => {
    const checkpoint = await openCheckpoint(odd('views.pth'))
    await checkpoint.close()
    await checkpoint[Symbol.asyncDispose]()
    expect(await failureOf(checkpoint.tensors.get('base')!.read())).toMatchObject({ code: 'DISPOSED' })
  })

  it('keeps a module. prefix unless every name has it', async () => {
    expect([...(await readAll(odd('prefix-mixed.pth'))).keys()]).toEqual(['module.weight', 'bias'])
    expect([...(await readAll(odd('nested-twice.pth'))).keys()]).toEqual(['weight', 'bias'])
  })
})

describe('zip archives', () => {
  const floats = Buffer.from(new Float32Array([1, 2, 3, 4, 5, 6]).buffer)
  const pickle = statePickle([{ name: 'w', shape: [2, 3] }])

  it('of 64 bits are read', async () => {
    const path = `${folder}/zip64.pth`
    writeZip(path, [
      { name: 'a/data.pkl', data: pickle, zip64: true },
      { name: 'a/data/0', data: floats, zip64: true },
    ])
    expect([...(await readAll(path)).get('w')!]).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('may have data.pkl at the top', async () => {
    const path = `${folder}/flat.pth`
    writeZip(path, [
      { name: 'data.pkl', data: pickle, deflate: true },
      { name: 'data/0', data: floats },
    ])
    expect([...(await readAll(path)).get('w')!]).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('give any part of a deflated storage', async () => {
    const values = Float32Array.from({ length: 100_000 }, (_, i) => Math.sin(i))
    const tensors = [0, 1, 17_000, 99_990].map((offset) => ({
      name: `at ${offset}`,
      shape: [10],
      offset,
      count: values.length,
    }))
    const path = `${folder}/parts.pth`
    writeZip(path, [
      { name: 'a/data.pkl', data: statePickle(tensors) },
      { name: 'a/data/0', data: Buffer.from(values.buffer), deflate: true },
    ])
    const read = await readAll(path)
    for (const { name, offset } of tensors) expect(read.get(name)).toEqual(values.slice(offset, offset + 10))
  })
})

describe('roots', () => {
  it('without tensors are refused, naming what is there', async () => {
    expect(await failure(odd('no-tensors.pth'))).toMatchObject({
      code: 'CHECKPOINT_FORMAT',
      message: expect.stringMatching(/no-tensors\.pth.*"state_dict".*"epoch", "optimizer"/) as string,
    })
    expect(await failure(odd('list.pth'))).toMatchObject({
      code: 'CHECKPOINT_FORMAT',
      message: expect.stringMatching(/expected tensors by name.*got a list of a tensor/) as string,
    })
  })

  it('that contain themselves are refused', async () => {
    const path = `${folder}/cycle.pth`
    writeZip(path, [{ name: 'a/data.pkl', data: Buffer.from("(dp0\nS'model'\ng0\ns.") }])
    expect(await failure(path)).toMatchObject({ code: 'CHECKPOINT_FORMAT' })
  })
})
