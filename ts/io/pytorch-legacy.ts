import { malformed } from './checkpoint-error.js'
import { itemSize } from './checkpoint-dtype.js'
import type { CheckpointTensor } from './checkpoint-tensor.js'
import type { PickleValue } from './pickle.js'
import type { RandomAccessFile, Region } from './random-access.js'
import { describe, isKey, layOutAll, readPickle, stateDict, storageRef, StorageRef } from './torch-pickle.js'

const MAGIC = 0x1950a86a20f9469cfc6cn
const PROTOCOL = 1001

/**
 * Reads the stream of PyTorch 0.1.10 to 1.5: pickles of a magic number, the protocol, the system, the object and
 * the keys of its storages, then each storage as a count and its data. Only the counts are read here.
 */
export async function readPytorchLegacy(file: RandomAccessFile): Promise<Map<string, CheckpointTensor>> {
  const { path, size } = file
  const storages = new Map<string, StorageRef>()
  let position = 0
  const next = async (
    what: string,
    persistentLoad?: (id: PickleValue) => PickleValue,
  ): Promise<PickleValue> => {
    const at = { position, end: size, what, ...(persistentLoad && { persistentLoad }) }
    const { value, end } = await readPickle(file, at)
    position = end
    return value
  }

  expectValue(path, 'magic number', MAGIC, await next('magic number'))
  expectValue(path, 'protocol version', PROTOCOL, await next('protocol version'))
  checkSystem(path, await next('system information'))
  const root = await next('object', (id) => {
    const storage = storageRef(path, id)
    const known = storages.get(storage.key)
    if (known && (known.dtype !== storage.dtype || known.count !== storage.count))
      throw malformed(path, `storage ${storage.key} is described in two ways`, {
        expected: `${known.count} of ${known.dtype}`,
        got: `${storage.count} of ${storage.dtype}`,
      })
    storages.set(storage.key, storage)
    return storage
  })
  const keys = await next('storage keys')
  if (!Array.isArray(keys))
    throw malformed(path, 'bad storage keys', { expected: 'a list', got: describe(keys) })

  const regions = new Map<string, Region>()
  for (const key of keys) {
    const storage = isKey(key) ? storages.get(String(key)) : undefined
    if (!storage || regions.has(storage.key))
      throw malformed(path, 'bad storage keys', { expected: 'each storage once', got: describe(key) })
    const region = await storageRegion(file, position, storage)
    regions.set(storage.key, region)
    position += COUNT_BYTES + region.byteLength
  }
  return layOutAll(path, stateDict(path, root), ({ key }) => {
    const region = regions.get(key)
    if (!region) throw malformed(path, `has no data for storage ${key}`)
    return region
  })
}

/** Bytes of the count in front of the data of a storage. */
export const COUNT_BYTES = 8

/** The data of a storage behind their count, which must be as announced. */
export async function storageRegion(
  file: RandomAccessFile,
  position: number,
  storage: StorageRef,
): Promise<Region> {
  const what = `storage ${storage.key}`
  const count = (await file.read(position, COUNT_BYTES, what)).readBigInt64LE()
  if (count !== BigInt(storage.count))
    throw malformed(file.path, `${what} has the wrong size`, {
      expected: `${storage.count} elements`,
      got: String(count),
    })
  return file.region(position + COUNT_BYTES, storage.count * itemSize(storage.dtype), what)
}

/** @throws CheckpointError when the file was written on a big-endian machine. */
export function checkSystem(path: string, system: PickleValue): void {
  if (!(system instanceof Map))
    throw malformed(path, 'bad system information', { expected: 'a dictionary', got: describe(system) })
  if (system.get('little_endian') !== true)
    throw malformed(path, 'unsupported byte order', { expected: 'little', got: 'big' })
}

function expectValue(path: string, what: string, expected: bigint | number, got: PickleValue): void {
  if (got !== expected)
    throw malformed(path, `wrong ${what}`, { expected: String(expected), got: describe(got) })
}
