import { describe, expect, it } from 'vitest'
import { unpickle, type PickleValue } from '../../ts/io/pickle.js'
import { PickleTruncated } from '../../ts/io/pickle-reader.js'
import { torchGlobals } from '../../ts/io/torch-pickle.js'
import { expected } from './files.js'

function load(bytes: Buffer | string): PickleValue {
  return unpickle(Buffer.from(bytes as string, 'latin1'), { source: 'test', resolve: torchGlobals('test') })
    .value
}

function thrown(bytes: Buffer | string): unknown {
  try {
    load(bytes)
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** Dictionaries as plain objects. */
function plain(value: PickleValue): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [key as string, plain(item)]))
  return Array.isArray(value) ? value.map(plain) : value
}

describe('a pickle of plain values', () => {
  it.each(Object.keys(expected.pickles))('of %s reads as Python wrote it', (protocol) => {
    const bytes = Buffer.from(expected.pickles[protocol]!, 'base64')
    const value = load(bytes)
    expect(plain(value)).toEqual(expected.pickleValue)
    const shared = (value as Map<string, PickleValue[]>).get('shared')!
    expect(shared[0]).toBe(shared[1])
  })

  it('keeps integers beyond 53 bits exact', () => {
    for (const bytes of expected.bigIntegers.pickles)
      expect((load(Buffer.from(bytes, 'base64')) as bigint[]).map(String)).toEqual(
        expected.bigIntegers.values,
      )
  })

  it('ends where it says, whatever follows', () => {
    const bytes = Buffer.from('\x80\x02K\x07.rest', 'latin1')
    expect(unpickle(bytes, { source: 'test', resolve: () => undefined })).toEqual({ value: 7, length: 5 })
  })

  it.each([
    ['Python 2 strings', "S'a\\x41\\'\\n'\n.", "aA'\n"],
    [
      'bytes by way of codecs',
      'c_codecs\nencode\n(X\x03\x00\x00\x00a\xc3\xbfX\x06\x00\x00\x00latin1tR.',
      'a\xff',
    ],
    ['infinities', '(Finf\nF-inf\nl.', [Infinity, -Infinity]],
    ['an OrderedDict of pairs', 'ccollections\nOrderedDict\n(((I1\nI2\ntttR.', { '1': 2 }],
    ['values under a discarded mark', '(I1\nI2\n1I3\n.', 3],
  ])('may hold %s', (_, bytes, value) => {
    const read = load(bytes)
    expect(read instanceof Uint8Array ? Buffer.from(read).toString('latin1') : plain(read)).toEqual(value)
  })
})

describe('a name in a pickle', () => {
  it.each([
    ['GLOBAL', "cposix\nsystem\n(S'touch /tmp/harmed'\ntR.", 'posix.system'],
    ['GLOBAL that is never called', 'cos\nsystem\n.', 'os.system'],
    ['STACK_GLOBAL', '\x80\x04\x8c\x02os\x8c\x06system\x93)R.', 'os.system'],
    ['INST', '(ios\nsystem\n.', 'os.system'],
    ['OBJ', '(cbuiltins\neval\no.', 'builtins.eval'],
    ['NEWOBJ', 'csubprocess\nPopen\n)\x81.', 'subprocess.Popen'],
    ['NEWOBJ_EX', 'csubprocess\nPopen\n)}\x92.', 'subprocess.Popen'],
    ['Python 2 GLOBAL', 'c__builtin__\neval\n.', '__builtin__.eval'],
    ['name like a property of objects', 'c__proto__\nconstructor\n.', '__proto__.constructor'],
    ['name inside an allowed module', 'ctorch\nload\n.', 'torch.load'],
    ['name that only looks like a storage', 'ctorch\nEvilStorage\n.', 'torch.EvilStorage'],
    ['call of a type', 'cbuiltins\nlist\n)R.', 'builtins.list'],
  ])('is refused as %s', (_, bytes, name) => {
    const error = thrown(bytes)
    expect(error).toMatchObject({ name: 'CheckpointError', code: 'CHECKPOINT_UNSAFE' })
    expect((error as Error).message).toContain(`"${name}"`)
  })

  it('is refused by a code of the extension registry', () => {
    expect(thrown('\x82\x01.')).toMatchObject({ code: 'CHECKPOINT_UNSAFE' })
  })
})

describe('a damaged pickle', () => {
  it.each([
    ['nothing', ''],
    ['no STOP', 'I1\n'],
    ['text longer than the file', 'X\xff\xff\xff\x7fabc.'],
    ['text of 2^63 bytes', '\x8d\x00\x00\x00\x00\x00\x00\x00\x80abc.'],
    ['bytes of 2^64 - 1', '\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc.'],
    ['a frame of 2^60 bytes', '\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x10N.'],
    ['a line without end', 'I12345'],
  ])('is cut off: %s', (_, bytes) => {
    expect(thrown(bytes)).toBeInstanceOf(PickleTruncated)
    expect(thrown(bytes)).toMatchObject({ name: 'CheckpointError', code: 'CHECKPOINT_FORMAT' })
  })

  it.each([
    ['an empty stack', '.'],
    ['POP of nothing', '0.'],
    ['TUPLE2 of one', 'I1\n\x86.'],
    ['a mark that was never set', 't.'],
    ['a memo that was never filled', 'h\x05.'],
    ['SETITEM of a list', ']I1\nI2\ns.'],
    ['a key without value', '}(I1\nu.'],
    ['APPEND to a number', 'I1\nI2\na.'],
    ['ADDITEMS to a list', '](I1\n\x90.'],
    ['BUILD of a name', 'ctorch\nFloatStorage\n}b.'],
    ['REDUCE of a number', 'I1\n)R.'],
    ['arguments that are no tuple', 'ctorch\nSize\nI1\nR.'],
    ['a tensor without storage', 'ctorch._utils\n_rebuild_tensor_v2\n)R.'],
    ['a persistent id where none can be', 'I1\nQ.'],
    ['protocol 6', '\x80\x06N.'],
    ['an unknown operation', '\xffN.'],
    ['an integer of letters', 'Iabc\n.'],
    ['an absurd integer', `L${'9'.repeat(5000)}L\n.`],
    ['an integer of negative length', '\x8b\xff\xff\xff\xffN.'],
    ['a number of letters', 'Fabc\n.'],
    ['a string without quotes', 'Sabc\n.'],
  ])('makes no sense: %s', (_, bytes) => {
    const error = thrown(bytes)
    expect(error).not.toBeInstanceOf(PickleTruncated)
    expect(error).toMatchObject({ code: 'CHECKPOINT_FORMAT', subject: 'test' })
  })
})

describe('a hostile pickle', () => {
  const tooLong = { code: 'CHECKPOINT_FORMAT', message: expect.stringContaining('absurdly long') as string }

  it('cannot make millions of containers', () => {
    expect(thrown(Buffer.alloc(40_000_000, '}'))).toMatchObject(tooLong)
    expect(thrown(Buffer.alloc(40_000_000, '('))).toMatchObject(tooLong)
  })

  it('cannot nest so deep that the stack of the engine overflows', () => {
    const depth = 500_000
    const value = load(Buffer.from(`${'('.repeat(depth)}${'t'.repeat(depth)}.`))
    expect(value).toHaveLength(1)
  })

  it('cannot have a long list copied again and again', () => {
    const list = `(${'(NNt'.repeat(100_000)}lp1\n`
    const copy = 'ccollections\nOrderedDict\n(g1\ntR'
    expect(thrown(Buffer.from(`${list}${copy.repeat(1000)}.`))).toMatchObject(tooLong)
  })

  it('may contain itself', () => {
    const list = load(']q\x00h\x00a.') as PickleValue[]
    expect(list[0]).toBe(list)
  })
})
