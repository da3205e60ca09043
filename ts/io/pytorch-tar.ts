import { malformed } from './checkpoint-error.js'
import { itemSize } from './checkpoint-dtype.js'
import { isCount, type CheckpointTensor } from './checkpoint-tensor.js'
import { isGlobal, type PickleValue } from './pickle.js'
import { COUNT_BYTES, checkSystem } from './pytorch-legacy.js'
import type { RandomAccessFile, Region } from './random-access.js'
import {
  describe,
  isKey,
  layOutAll,
  readPickle,
  stateDict,
  storageDType,
  StorageRef,
  TensorRef,
} from './torch-pickle.js'

const BLOCK = 512
const MAX_MEMBERS = 1000
const MAX_RANK = 64

/** Where a member of the archive lies in the file. */
interface Member {
  readonly name: string
  readonly start: number
  readonly end: number
}

/**
 * Reads the container of PyTorch before 0.1.10: a tar archive of `storages` and `tensors`, each a count and then a
 * pickle with raw data for each, and `pickle`, the object, which refers to tensors by key.
 */
export async function readPytorchTar(file: RandomAccessFile): Promise<Map<string, CheckpointTensor>> {
  const { path } = file
  const members = await listMembers(file)
  const member = (name: string): Member => {
    const found = members.get(name)
    if (found) return found
    throw malformed(path, 'not a PyTorch archive', {
      expected: `a member "${name}"`,
      got: `members ${[...members.keys()].slice(0, 8).join(', ')}`,
    })
  }
  if (members.has('sys_info')) checkSystem(path, await new Cursor(file, member('sys_info')).pickle())
  const regions = new Map<string, Region>()
  const storages = await readStorages(new Cursor(file, member('storages')), regions)
  const tensors = await readTensors(new Cursor(file, member('tensors')), storages)
  const root = await new Cursor(file, member('pickle')).pickle((id) => {
    const tensor = isKey(id) ? tensors.get(String(id)) : undefined
    if (!tensor) throw malformed(path, 'unknown persistent id', { expected: 'a tensor', got: describe(id) })
    return tensor
  })
  return layOutAll(path, stateDict(path, root), ({ key }) => regions.get(key)!)
}

async function readStorages(cursor: Cursor, regions: Map<string, Region>): Promise<Map<string, StorageRef>> {
  const storages = new Map<string, StorageRef>()
  for (let left = await cursor.count(); left > 0; left--) {
    const [key, , type] = await cursor.list()
    if (!isKey(key) || !isGlobal(type)) throw cursor.bad('storage')
    const dtype = storageDType(cursor.path, type)
    const count = Number((await cursor.bytes(COUNT_BYTES)).readBigInt64LE())
    if (!isCount(count)) throw cursor.bad('size of a storage', count)
    regions.set(String(key), cursor.region(count * itemSize(dtype)))
    storages.set(String(key), new StorageRef(String(key), dtype, count))
  }
  const views = await cursor.pickle()
  if (!Array.isArray(views)) throw cursor.bad('list of views', views)
  for (const view of views) {
    const [key, rootKey, start, length] = Array.isArray(view) ? view : []
    const root = isKey(rootKey) ? storages.get(String(rootKey)) : undefined
    if (!root || !isKey(key) || !isCount(start) || !isCount(length) || start + length > root.length)
      throw cursor.bad('view of a storage', view)
    storages.set(String(key), new StorageRef(root.key, root.dtype, root.count, root.start + start, length))
  }
  return storages
}

async function readTensors(
  cursor: Cursor,
  storages: ReadonlyMap<string, StorageRef>,
): Promise<Map<string, TensorRef>> {
  const tensors = new Map<string, TensorRef>()
  for (let left = await cursor.count(); left > 0; left--) {
    const [key, storageKey] = await cursor.list()
    const storage = isKey(storageKey) ? storages.get(String(storageKey)) : undefined
    if (!isKey(key) || !storage) throw cursor.bad('tensor', key)
    // The rank is an int32; what follows it to the next multiple of 8 bytes means nothing.
    const rank = (await cursor.bytes(8)).readInt32LE()
    if (!(rank >= 0 && rank <= MAX_RANK)) throw cursor.bad('rank of a tensor', rank)
    const layout = await cursor.bytes(8 * (2 * rank + 1))
    const numbers = Array.from({ length: 2 * rank + 1 }, (_, i) => Number(layout.readBigInt64LE(8 * i)))
    if (!numbers.every(isCount)) throw cursor.bad('layout of a tensor', numbers)
    const offset = numbers[2 * rank]!
    tensors.set(
      String(key),
      new TensorRef(storage, offset, numbers.slice(0, rank), numbers.slice(rank, 2 * rank)),
    )
  }
  return tensors
}

/** Reads a member from its start to its end. */
class Cursor {
  #position: number

  constructor(
    private readonly file: RandomAccessFile,
    private readonly member: Member,
  ) {
    this.#position = member.start
  }

  get path(): string {
    return this.file.path
  }

  async pickle(persistentLoad?: (id: PickleValue) => PickleValue): Promise<PickleValue> {
    const { name: what, end } = this.member
    const at = { position: this.#position, end, what, ...(persistentLoad && { persistentLoad }) }
    const read = await readPickle(this.file, at)
    this.#position = read.end
    return read.value
  }

  async count(): Promise<number> {
    const count = await this.pickle()
    if (!isCount(count)) throw this.bad('count', count)
    return count
  }

  async list(): Promise<PickleValue[]> {
    const value = await this.pickle()
    if (!Array.isArray(value)) throw this.bad('entry', value)
    return value
  }

  async bytes(length: number): Promise<Buffer> {
    const position = this.#advance(length)
    return this.file.read(position, length, this.member.name)
  }

  region(length: number): Region {
    return this.file.region(this.#advance(length), length, this.member.name)
  }

  bad(what: string, got?: PickleValue): Error {
    return malformed(`${this.path} (${this.member.name})`, `bad ${what}`, { got: describe(got) })
  }

  #advance(length: number): number {
    const position = this.#position
    if (position + length > this.member.end)
      throw malformed(this.path, `member "${this.member.name}" is cut off`, {
        expected: `${length} bytes at ${position}`,
        got: `its end at ${this.member.end}`,
      })
    this.#position += length
    return position
  }
}

/** Walks the headers of the archive; the members themselves are skipped. */
async function listMembers(file: RandomAccessFile): Promise<Map<string, Member>> {
  const members = new Map<string, Member>()
  for (let position = 0; position < file.size;) {
    const header = await file.read(position, BLOCK, 'a tar header')
    if (header.every((byte) => byte === 0)) break
    const { name, size } = parseHeader(file.path, header, position)
    const start = position + BLOCK
    file.region(start, size, `tar member "${name}"`)
    members.set(name, { name, start, end: start + size })
    position = start + Math.ceil(size / BLOCK) * BLOCK
    if (members.size > MAX_MEMBERS)
      throw malformed(file.path, 'absurd tar archive', {
        expected: `at most ${MAX_MEMBERS} members`,
        got: 'more',
      })
  }
  return members
}

function parseHeader(path: string, header: Buffer, position: number): { name: string; size: number } {
  const text = (start: number, length: number): string =>
    header.toString('latin1', start, start + length).replace(/\0[^]*$/, '')
  // The sum takes its own field as blanks.
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0)
  const size = /^ *[0-7]+ *$/.test(text(124, 12)) ? parseInt(text(124, 12), 8) : NaN
  if (parseInt(text(148, 8), 8) !== sum || !isCount(size))
    throw malformed(path, `damaged tar header at ${position}`, {
      expected: `check sum ${sum.toString(8)} and an octal size`,
      got: JSON.stringify([text(148, 8), text(124, 12)]),
    })
  return { name: text(0, 100).replace(/^\.\//, ''), size }
}
