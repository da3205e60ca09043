import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FoveaError } from '../../ts/errors.js'
import { openCheckpoint } from '../../ts/io/checkpoint.js'
import {
  int64,
  legacyStart,
  safetensorsFile,
  statePickle,
  tarHeader,
  tarStorage,
  tarTensor,
  writeParts,
  writeTar,
  writeZip,
  type Member,
  type Part,
} from './builders.js'
import { failure, failureOf, odd, put, readAll, temporaryFolder } from './files.js'

const folder = temporaryFolder()
const floats = Buffer.from(new Float32Array([1, 2, 3, 4, 5, 6]).buffer)

function matching(...parts: string[]): object {
  const pattern = new RegExp(parts.map((part) => part.replace(/[.*+?()[\]{}|^$]/g, '\\$&')).join('[^]*'))
  return {
    name: 'CheckpointError',
    code: 'CHECKPOINT_FORMAT',
    message: expect.stringMatching(pattern) as string,
  }
}

/** Open files of this process, where the system tells. */
function openFiles(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0
}

describe('what is no checkpoint', () => {
  it('a missing file', async () => {
    const path = join(folder, 'missing.pth')
    expect(await failure(path)).toMatchObject({ ...matching(path, 'ENOENT'), subject: path })
  })

  it('a pipe, without waiting for its other end', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe.pth')])
    expect(await failure(join(folder, 'pipe.pth'))).toMatchObject(matching('pipe.pth', 'expected a file'))
  })

  it('a folder', async () => {
    const path = join(folder, 'folder.pth')
    mkdirSync(path)
    expect(await failure(path)).toMatchObject(matching(path, 'expected a file'))
  })

  it.each<[string, string | Buffer, ...string[]]>([
    ['an empty file', '', 'empty file'],
    [
      'text',
      'no weights here, sorry',
      'expected a PyTorch file',
      '22 bytes that start with 6e6f207765696768',
    ],
    ['one byte', 'x', 'expected a PyTorch file', '1 bytes that start with 78'],
    ['a pickle that torch did not write', '\x80\x02K\x01.', 'wrong magic number', 'got 1'],
    ['another zip archive', readFileSync(odd('views.pth')).subarray(0, 4), 'damaged or cut off zip archive'],
    ['a header without tensors', safetensorsFile('{"a":1}', 0), 'tensor "a" has an unknown type'],
  ])('%s', async (name, bytes, ...parts) => {
    const path = put(folder, `${name}.bin`, typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    expect(await failure(path)).toMatchObject(matching(path, ...parts))
  })

  it('a zip archive without data.pkl', async () => {
    const path = join(folder, 'other.zip')
    writeZip(path, [{ name: 'readme.txt', data: Buffer.from('hello') }])
    expect(await failure(path)).toMatchObject(matching(path, 'expected one member "data.pkl"', 'readme.txt'))
  })

  it('a tar archive of something else', async () => {
    const bytes = readFileSync(odd('old.tar.pth'))
    // The name and its sum; "x" for "s" is 5 more.
    bytes.write('x', 0)
    bytes.write((parseInt(bytes.toString('latin1', 148, 154), 8) + 5).toString(8).padStart(6, '0'), 148)
    const path = put(folder, 'other.tar', bytes)
    await expect(readAll(path)).resolves.toBeDefined()
    bytes.write('0', 150)
    expect(await failure(put(folder, 'sum.tar', bytes))).toMatchObject(matching('damaged tar header at 0'))
  })
})

describe.each(['big-endian.pth', 'big-endian-legacy.pth', 'big-endian.tar.pth'])('%s', (file) => {
  it('is refused for its byte order', async () => {
    expect(await failure(odd(file))).toMatchObject(matching(file, 'byte order', 'expected little, got big'))
  })
})

const small = [
  'no-sums.pth',
  'deflated.pth',
  'storage-view-legacy.pth',
  'dtypes-legacy.pth',
  'old.tar.pth',
  'dtypes.safetensors',
]

describe.each(small)('%s', (file) => {
  const whole = readFileSync(odd(file))

  it('is refused wherever it is cut off', async () => {
    const wanted = await readAll(odd(file))
    const descriptors = openFiles()
    // Behind the last member, a tar archive has only padding.
    const end = file.includes('tar') ? whole.length - 1024 : whole.length
    for (let length = 0; length < end; length += 1 + Math.floor(length / 100)) {
      const path = put(folder, `cut-${file}`, whole.subarray(0, length))
      const outcome = await readAll(path).catch((error: unknown) => error)
      if (outcome instanceof Map) {
        expect(file).toContain('tar')
        expect(outcome).toEqual(wanted)
      } else if (outcome instanceof FoveaError) {
        expect(outcome.code).toBe('CHECKPOINT_FORMAT')
        expect(outcome.message).toContain(path)
      } else throw outcome
    }
    expect(openFiles()).toBeLessThan(descriptors + 5)
  })

  it('with any byte changed is refused with an error of the package, or read', async () => {
    let refused = 0
    let read = 0
    const step = Math.ceil(whole.length / 400)
    for (const change of [0xff, 0x01, 0x80])
      for (let at = 0; at < whole.length; at += step) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= change
        const outcome = await readAll(put(folder, `changed-${file}`, bytes)).catch((error: unknown) => error)
        if (outcome instanceof FoveaError) refused++
        else if (outcome instanceof Map) read++
        else throw outcome
      }
    expect(refused).toBeGreaterThan(read / 20)
  })
})

describe('a zip archive', () => {
  const pickle = statePickle([{ name: 'w', shape: [2, 3] }])
  const write = (members: readonly Member[], claims = {}): string => {
    const path = join(folder, 'lie.pth')
    writeZip(path, members, claims)
    return path
  }
  const archive = (storage: Partial<Member>): string =>
    write([
      { name: 'a/data.pkl', data: pickle },
      { name: 'a/data/0', data: floats, ...storage },
    ])

  it('is read when nothing is wrong', async () => {
    expect([...(await readAll(archive({}))).get('w')!]).toEqual([1, 2, 3, 4, 5, 6])
    expect([...(await readAll(archive({ deflate: true }))).get('w')!]).toEqual([1, 2, 3, 4, 5, 6])
  })

  it.each<[string, Partial<Member>, ...string[]]>([
    ['a stored member of two sizes', { claims: { uncompressed: 100 } }, 'size mismatch'],
    ['a member beyond the end', { claims: { compressed: 1e9, uncompressed: 1e9 } }, 'a/data/0', 'a file of'],
    ['a member that is elsewhere', { claims: { offset: 1e9 } }, 'the file ends within "a/data/0"'],
    ['a header that is elsewhere', { claims: { offset: 3 } }, 'invalid local file header'],
    ['a deflated member of 4 GB', { deflate: true, claims: { uncompressed: 4e9 } }, 'is a lie'],
    [
      'a deflated member of 2^60 bytes',
      { deflate: true, zip64: true, claims: { uncompressed: 2 ** 60 } },
      'is a lie',
    ],
    ['a deflated member that is larger', { deflate: true, claims: { uncompressed: 12 } }, 'wrong size'],
    ['data that do not inflate', { claims: { method: 8 } }, 'damaged member "a/data/0"'],
    ['a wrong sum', { claims: { crc: 1 } }, 'expected check sum 1'],
    ['an unknown method', { claims: { method: 99 } }, 'got compression method 99'],
    ['a storage of another size', { data: floats.subarray(4) }, 'expected 24 bytes (6 of f32), got 20'],
    ['no storage', { name: 'a/data/1' }, 'no member "a/data/0"'],
    ['a member twice', { name: 'a/data.pkl' }, 'there twice'],
    ['two pickles', { name: 'data.pkl' }, 'one member "data.pkl", got several'],
  ])('with %s is refused', async (_, storage, ...parts) => {
    const path = archive(storage)
    expect(await failure(path)).toMatchObject(matching(path, ...parts))
  })

  it('whose deflated data are not as long as all sizes say is refused', async () => {
    const data = Buffer.alloc(4000, 'abcd')
    const path = write([
      { name: 'a/data.pkl', data: statePickle([{ name: 'w', shape: [1010] }]) },
      { name: 'a/data/0', data, deflate: true, claims: { uncompressed: 4040 } },
    ])
    expect(await failure(path)).toMatchObject(matching(path, 'damaged member', 'bytes'))
  })

  it('with an absurd pickle is refused before it is unpacked', async () => {
    const path = write([{ name: 'a/data.pkl', data: { hole: 70_000_000 } }])
    expect(await failure(path)).toMatchObject(matching(path, 'absurd size of "a/data.pkl"'))
  })

  it('with an absurd number of members is refused', async () => {
    const path = write([{ name: 'a/data.pkl', data: pickle }], { entries: 2 ** 40 })
    expect(await failure(path)).toMatchObject(matching(path, 'damaged or cut off zip archive'))
  })
})

describe('a tensor', () => {
  const legacy = (pickle: Buffer, counts: readonly number[], parts: readonly Buffer[] = [floats]): string => {
    const path = join(folder, 'tensor.pth')
    const keys = Buffer.from(`(${counts.map((_, i) => `S'${i}'\n`).join('')}l.`)
    const storages = counts.flatMap((count, i) => [int64(count), parts[i] ?? Buffer.alloc(0)])
    writeParts(path, [legacyStart, pickle, keys, ...storages])
    return path
  }
  const of = (fields: object): Buffer =>
    statePickle([{ name: 'layer.w', shape: [2, 3], count: 6, ...fields }], true)

  it('is read when nothing is wrong', async () => {
    expect([...(await readAll(legacy(of({}), [6]))).get('layer.w')!]).toEqual([1, 2, 3, 4, 5, 6])
  })

  it.each<[string, object, ...string[]]>([
    ['whose offset is outside', { offset: 1 }, 'tensor "layer.w" reaches outside', '6 from 1 on'],
    ['whose strides reach outside', { strides: [4, 1] }, 'tensor "layer.w" reaches outside', 'got 7 from 0'],
    ['with a shape beyond all', { shape: [2 ** 40, 2 ** 40] }, 'tensor "layer.w" has an impossible shape'],
    ['with a negative size', { shape: [-2, 3] }, 'bad tensor'],
    ['with a negative stride', { strides: [-3, 1] }, 'bad tensor'],
    ['with a fractional offset', { offset: 0.5 }, 'bad integer'],
    ['with too few strides', { strides: [3] }, 'tensor "layer.w" has a bad layout'],
    ['with 65 axes', { shape: Array(65).fill(1) }, 'impossible shape', '65 sizes'],
    [
      'that repeats one number 2^40 times',
      { shape: [2 ** 40], strides: [0] },
      '"layer.w"',
      'repeats too few',
    ],
    ['of an unknown type', { type: 'Funny' }, 'torch.FunnyStorage'],
  ])('%s is refused', async (_, fields, ...parts) => {
    const error = await failure(legacy(of(fields), [6]))
    expect(error).toMatchObject({
      ...matching(...parts),
      code: 'type' in fields ? 'CHECKPOINT_UNSAFE' : 'CHECKPOINT_FORMAT',
    })
  })

  it('of a storage that is not as announced is refused', async () => {
    const refused = async (pickle: Buffer, counts: number[], ...parts: string[]): Promise<void> =>
      expect(await failure(legacy(pickle, counts, [floats, floats]))).toMatchObject(matching(...parts))
    await refused(of({}), [5], 'storage 0 has the wrong size', 'expected 6 elements, got 5')
    await refused(of({}), [-1], 'storage 0 has the wrong size', 'got -1')
    await refused(of({}), [6, 6], 'bad storage keys')
    await refused(of({}), [], 'no data for storage 0')
    await refused(
      of({ count: 2 ** 50 }),
      [2 ** 50],
      'the file ends within storage 0',
      'expected 4503599627370496',
    )
    await refused(of({ count: 2 ** 53 }), [6], 'unknown persistent id')
  })

  it('of a storage with two data, or of two types, is refused', async () => {
    const path = join(folder, 'two.pth')
    const write = (pickle: Buffer): void =>
      writeParts(path, [
        legacyStart,
        pickle,
        Buffer.from("(S'0'\nS'0'\nl."),
        int64(6),
        floats,
        int64(6),
        floats,
      ])
    write(of({}))
    expect(await failure(path)).toMatchObject(matching('expected each storage once, got "0"'))
    for (const other of [{ type: 'Int' }, { count: 5, shape: [5] }]) {
      write(
        statePickle(
          [
            { name: 'a', shape: [6] },
            { name: 'b', shape: [6], ...other },
          ],
          true,
        ),
      )
      expect(await failure(path)).toMatchObject(matching('storage 0 is described in two ways'))
    }
  })

  it('of the tar container that reaches outside is refused', async () => {
    expect(await failure(odd('outside.tar.pth'))).toMatchObject(
      matching('tensor "module.double" reaches outside'),
    )
  })
})

describe('a tar archive', () => {
  const path = join(folder, 'tar.pth')
  const write = (fields: {
    views?: string
    storages?: readonly Part[]
    tensor?: readonly [number, number[], number[], number]
  }): void =>
    writeTar(path, {
      pickle: [Buffer.from("(dS'w'\nP9\ns.")],
      tensors: [Buffer.from('I1\n.'), ...tarTensor(9, ...(fields.tensor ?? [1, [2, 3], [3, 1], 0]))],
      storages: fields.storages ?? [
        Buffer.from('I1\n.'),
        ...tarStorage(1, 6, floats),
        Buffer.from(fields.views ?? '(l.'),
      ],
    })
  const view = (key: number, root: number, start: number, length: number): string =>
    `(I${key}\nI${root}\nI${start}\nI${length}\nt`

  it('may have views of views', async () => {
    write({ views: `(${view(2, 1, 1, 5)}${view(3, 2, 2, 3)}l.`, tensor: [3, [2], [1], 1] })
    expect([...(await readAll(path)).get('w')!]).toEqual([5, 6])
  })

  it.each<[string, Parameters<typeof write>[0], ...string[]]>([
    ['a view that reaches outside', { views: `(${view(2, 1, 3, 4)}l.` }, '(storages): bad view of a storage'],
    [
      'a view that reaches outside a view',
      { views: `(${view(2, 1, 1, 2)}${view(3, 2, 1, 2)}l.` },
      '(storages): bad view of a storage',
    ],
    [
      'a tensor that reaches outside a view',
      { views: `(${view(2, 1, 0, 2)}l.`, tensor: [2, [3], [1], 0] },
      'tensor "w" reaches outside its storage: expected at most 2 elements',
    ],
    ['a tensor of no storage', { tensor: [7, [1], [1], 0] }, '(tensors): bad tensor'],
    ['a negative offset', { tensor: [1, [1], [1], -1] }, '(tensors): bad layout of a tensor'],
    ['65 axes', { tensor: [1, Array<number>(65).fill(1), [], 0] }, '(tensors): bad rank of a tensor'],
    [
      'a storage longer than its member',
      { storages: [Buffer.from('I1\n.'), ...tarStorage(1, 7, floats), Buffer.from('(l.')] },
      'member "storages" is cut off',
    ],
    [
      'more storages than there are',
      { storages: [Buffer.from('I9\n.'), ...tarStorage(1, 6, floats)] },
      'pickle is cut off',
    ],
    ['a negative count', { storages: [Buffer.from('I-1\n.')] }, '(storages): bad count: got -1'],
  ])('with %s is refused', async (_, fields, ...parts) => {
    write(fields)
    expect(await failure(path)).toMatchObject(matching(path, ...parts))
  })

  it('whose member reaches beyond the end of the file is refused', async () => {
    writeParts(path, [tarHeader('unread', 10_000), Buffer.alloc(512)])
    expect(await failure(path)).toMatchObject(matching(path, 'the file ends within tar member "unread"'))
  })
})

describe('a stream', () => {
  it('with an absurdly long pickle is refused before all of it is read', async () => {
    const path = join(folder, 'long.pth')
    const length = Buffer.alloc(4)
    length.writeUInt32LE(500_000_000)
    writeParts(path, [legacyStart, Buffer.from('X'), length, { hole: 600_000_000 }])
    expect(await failure(path)).toMatchObject(matching(path, 'absurdly long pickle', 'at most 67108864'))
  })
})

describe('a file that shrinks while it is open', () => {
  it.each(['views.pth', 'views-legacy.pth', 'dtypes.safetensors', 'old.tar.pth'])(
    '%s is noticed',
    async (file) => {
      const path = put(folder, file, readFileSync(odd(file)))
      const checkpoint = await openCheckpoint(path)
      const tensor = [...checkpoint.tensors.values()].at(-1)!
      writeFileSync(path, '')
      expect(await failureOf(tensor.read())).toMatchObject(matching(path))
      await checkpoint.close()
    },
  )
})
