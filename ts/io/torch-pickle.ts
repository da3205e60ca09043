import { malformed } from './checkpoint-error.js'
import { itemSize, type CheckpointDType } from './checkpoint-dtype.js'
import { isCount, layOut, type CheckpointTensor } from './checkpoint-tensor.js'
import {
  isGlobal,
  isObject,
  unpickle,
  type PickleGlobal,
  type PickleObject,
  type PickleOptions,
  type PickleValue,
} from './pickle.js'
import { PickleTruncated } from './pickle-reader.js'
import { slice, type RandomAccessFile, type Region } from './random-access.js'

/** No state dict comes near: the pickle of a network of 1000 tensors has some 100 KiB. */
export const MAX_PICKLE_BYTES = 64 * 2 ** 20

/** Large enough for the many tiny pickles of the tar container, small enough to reread. */
const FIRST_WINDOW = 512

/** A storage that a pickle refers to; the container knows where its data are. */
export class StorageRef implements PickleObject {
  readonly kind = 'storage'
  constructor(
    readonly key: string,
    readonly dtype: CheckpointDType,
    /** Elements of the whole storage. */
    readonly count: number,
    /** The part of the storage that is meant, in elements. */
    readonly start = 0,
    readonly length = count,
  ) {}
}

/** A tensor as a pickle describes it: a strided view of a storage. */
export class TensorRef implements PickleObject {
  readonly kind = 'tensor'
  constructor(
    readonly storage: StorageRef,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** A pickle from the middle of a file, whose length is only known once it is read. */
export interface PickleAt extends Omit<PickleOptions, 'source' | 'resolve'> {
  readonly position: number
  /** Where the part of the file ends that the pickle lies in. */
  readonly end: number
  /** Names the pickle in messages. */
  readonly what: string
}

/** Reads a pickle of torch objects from a file, and tells where it ends. */
export async function readPickle(
  file: RandomAccessFile,
  { position, end, what, ...options }: PickleAt,
): Promise<{ value: PickleValue; end: number }> {
  const source = `${file.path} (${what})`
  for (let window = FIRST_WINDOW; ; window = Math.min(window * 8, MAX_PICKLE_BYTES)) {
    const bytes = await file.read(position, Math.max(0, Math.min(window, end - position)), what)
    try {
      const { value, length } = unpickle(bytes, { ...options, source, resolve: torchGlobals(source) })
      return { value, end: position + length }
    } catch (error) {
      if (!(error instanceof PickleTruncated) || position + bytes.length >= end) throw error
      if (window === MAX_PICKLE_BYTES)
        throw malformed(source, 'absurdly long pickle', { expected: `at most ${window} bytes`, got: 'more' })
    }
  }
}

/** The storage named by the persistent id `('storage', type, key, location, count[, view])`. */
export function storageRef(source: string, id: PickleValue): StorageRef {
  const [tag, type, key, , count, view] = Array.isArray(id) ? id : []
  if (tag !== 'storage' || !isGlobal(type) || !isKey(key) || !isCount(count))
    throw malformed(source, 'unknown persistent id', { expected: 'a storage', got: describe(id) })
  const dtype = storageDType(source, type)
  if (view === undefined || view === null) return new StorageRef(String(key), dtype, count)
  const [, start, length] = Array.isArray(view) ? view : []
  if (!isCount(start) || !isCount(length) || start + length > count)
    throw malformed(source, `a view reaches outside storage ${key}`, {
      expected: `at most ${count} elements`,
      got: describe(view),
    })
  return new StorageRef(String(key), dtype, count, start, length)
}

/** The element type of `torch.FloatStorage`, `torch.cuda.HalfStorage`, `torch.LongTensor` and the like. */
export function storageDType(source: string, type: PickleGlobal): CheckpointDType {
  const dtype = storageTypes.get(typeName.exec(type.name)?.[1] ?? '')
  if (!dtype) throw malformed(source, 'unknown type of storage', { got: type.name })
  return dtype
}

/**
 * The tensors of a state dict, found in the root object of a file: the object itself or what it holds as
 * `state_dict`, `model_state_dict`, `model` or `net`. Entries that are no tensors are left out.
 */
export function stateDict(source: string, root: PickleValue): Map<string, TensorRef> {
  const found = findTensors(root, MAX_WRAPPERS)
  if (!found)
    throw malformed(source, 'holds no state dict', {
      expected: 'tensors by name, also behind "state_dict" or "model"',
      got: describe(root),
    })
  const tensors = new Map<string, TensorRef>()
  for (const [name, value] of found) {
    if (!(value instanceof TensorRef)) continue
    if (typeof name !== 'string')
      throw malformed(source, 'a tensor has no textual name', { got: describe(name) })
    tensors.set(name, value)
  }
  return tensors
}

/** The tensors that a checkpoint offers, over the regions of their whole storages. */
export function layOutAll(
  source: string,
  refs: ReadonlyMap<string, TensorRef>,
  regionOf: (storage: StorageRef) => Region,
): Map<string, CheckpointTensor> {
  const tensors = new Map<string, CheckpointTensor>()
  for (const [name, { storage, offset, shape, strides }] of refs) {
    const size = itemSize(storage.dtype)
    const region = slice(regionOf(storage), storage.start * size, storage.length * size)
    tensors.set(name, layOut(source, { name, shape, strides, offset, dtype: storage.dtype, region }))
  }
  return tensors
}

/** Whether a value can be the key of a storage or tensor, which were addresses at first and became numbers as text. */
export function isKey(value: PickleValue | undefined): value is string | number | bigint {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
}

/** A short description of a value for messages. */
export function describe(value: PickleValue | undefined): string {
  if (value instanceof Map) return `a dictionary of ${[...value.keys()].slice(0, 8).map(shortly).join(', ')}`
  if (value instanceof Set) return 'a set'
  if (value instanceof Uint8Array) return 'bytes'
  if (Array.isArray(value)) return `a list of ${value.slice(0, 8).map(shortly).join(', ') || 'nothing'}`
  return value === undefined ? 'nothing' : shortly(value)
}

const WRAPPERS = ['state_dict', 'model_state_dict', 'model', 'net']
const MAX_WRAPPERS = 4

const storageTypes = new Map<string, CheckpointDType>([
  ['Double', 'f64'],
  ['Float', 'f32'],
  ['Half', 'f16'],
  ['BFloat16', 'bf16'],
  ['Long', 'i64'],
  ['Int', 'i32'],
  ['Short', 'i16'],
  ['Char', 'i8'],
  ['Byte', 'u8'],
  ['Bool', 'bool'],
])
const typeName = /^torch\.(?:cuda\.)?(\w+)(?:Storage|Tensor)$/
const dtypeName =
  /^torch\.(float|double|half|bfloat16|float16|float32|float64|u?int(8|16|32|64)|short|int|long|bool)$/
const factories = new Set(
  ['dict', 'list', 'tuple', 'int', 'float', 'str', 'bool'].map((n) => `builtins.${n}`),
)

function findTensors(
  root: PickleValue | undefined,
  depth: number,
): Map<PickleValue, PickleValue> | undefined {
  if (!(root instanceof Map) || depth === 0) return undefined
  for (const name of WRAPPERS) {
    const inner = findTensors(root.get(name), depth - 1)
    if (inner) return inner
  }
  return [...root.values()].some((value) => value instanceof TensorRef) ? root : undefined
}

/** The Python names that a torch file may use; each builds plain data here. */
export function torchGlobals(source: string): (name: string) => PickleGlobal | undefined {
  const calls: Record<string, PickleGlobal['call']> = {
    'collections.OrderedDict': ([items]) => pairs(source, items),
    'collections.defaultdict': () => new Map(),
    'builtins.set': ([items]) => new Set(list(source, items)),
    '_codecs.encode': ([text]) => Buffer.from(typeof text === 'string' ? text : '', 'latin1'),
    'torch.Size': ([sizes]) => list(source, sizes),
    'torch.device': (parts) => parts.filter(isKey).join(':'),
    'torch._utils._rebuild_tensor': (args) => tensorRef(source, args),
    'torch._utils._rebuild_tensor_v2': (args) => tensorRef(source, args),
    'torch._utils._rebuild_parameter': ([data]) => tensorOf(source, data),
    'torch._utils._rebuild_parameter_with_state': ([data]) => tensorOf(source, data),
  }
  return (name) => {
    const call = Object.hasOwn(calls, name) ? calls[name] : undefined
    if (call) return { kind: 'global', name, call }
    const inert = storageTypes.has(typeName.exec(name)?.[1] ?? '') || dtypeName.test(name)
    return inert || factories.has(name) ? { kind: 'global', name } : undefined
  }
}

function tensorRef(source: string, [storage, offset, shape, strides]: readonly PickleValue[]): TensorRef {
  if (!(storage instanceof StorageRef) || !isCount(offset) || !areCounts(shape) || !areCounts(strides))
    throw malformed(source, 'bad tensor', {
      expected: 'a storage, an offset, sizes and strides',
      got: [storage, offset, shape, strides].map(describe).join('; '),
    })
  return new TensorRef(storage, offset, shape, strides)
}

function tensorOf(source: string, value: PickleValue | undefined): TensorRef {
  if (!(value instanceof TensorRef))
    throw malformed(source, 'bad parameter', { expected: 'a tensor', got: describe(value) })
  return value
}

function areCounts(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.every(isCount)
}

function list(source: string, value: PickleValue | undefined): PickleValue[] {
  if (!Array.isArray(value))
    throw malformed(source, 'bad argument', { expected: 'a list', got: describe(value) })
  return value
}

function pairs(source: string, items: PickleValue | undefined): Map<PickleValue, PickleValue> {
  const entries = items === undefined ? [] : list(source, items)
  return new Map(
    entries.map((entry) => {
      const [key, value] = list(source, entry)
      if (key === undefined || value === undefined)
        throw malformed(source, 'bad dictionary', { expected: 'keys with values', got: describe(entry) })
      return [key, value]
    }),
  )
}

function shortly(value: PickleValue): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (isGlobal(value)) return value.name
  if (isObject(value)) return `a ${value.kind}`
  return typeof value === 'object' && value !== null ? 'a container' : String(value)
}
