import { Tensor, tensor } from '../tensor.js'
import { writePieces } from './write-pieces.js'
import { malformed } from './checkpoint-error.js'
import { itemSize, type CheckpointDType } from './checkpoint-dtype.js'
import { countElements, isCount, layOut } from './checkpoint-tensor.js'
import { RandomAccessFile } from './random-access.js'

const MAGIC = '\x93NUMPY'
const MAX_HEADER_BYTES = 1 << 16
const ALIGNMENT = 64

const dtypes = new Map<string, CheckpointDType>([
  ['<f8', 'f64'],
  ['<f4', 'f32'],
  ['<f2', 'f16'],
  ['<i8', 'i64'],
  ['<u8', 'u64'],
  ['<i4', 'i32'],
  ['<u4', 'u32'],
  ['<i2', 'i16'],
  ['<u2', 'u16'],
  ['|i1', 'i8'],
  ['|u1', 'u8'],
  ['|b1', 'bool'],
])

/**
 * Reads a NumPy array file, converted to float32.
 *
 * @throws CheckpointError when the file is missing or damaged, in Fortran order, or of a type that is no number.
 */
export async function readNpy(path: string): Promise<Tensor> {
  const file = await RandomAccessFile.open(path)
  try {
    const { dtype, shape, start } = await readHeader(file)
    const bytes = countElements(path, 'array', shape) * itemSize(dtype)
    if (file.size - start !== bytes)
      throw malformed(path, 'wrong size', {
        expected: `${bytes} bytes for ${dtype} of shape [${shape.join(', ')}]`,
        got: String(file.size - start),
      })
    const region = file.region(start, bytes, 'the array')
    const data = await layOut(path, { name: 'array', shape, dtype, region, offset: 0 }).read()
    return tensor(data, shape)
  } finally {
    await file.close()
  }
}

/**
 * Writes a NumPy array file of float32, atomically.
 *
 * @throws WriteError when the file cannot be written.
 */
export async function writeNpy(path: string, { shape, data }: Tensor): Promise<void> {
  const sizes = shape.length === 1 ? `${shape[0]!},` : shape.join(', ')
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`
  const prefix = MAGIC.length + 4
  const length = Math.ceil((prefix + text.length + 1) / ALIGNMENT) * ALIGNMENT - prefix
  const header = Buffer.from(`${MAGIC}\x01\x00\x00\x00${text.padEnd(length - 1)}\n`, 'latin1')
  header.writeUInt16LE(length, prefix - 2)
  await writePieces(path, async (append) => {
    await append(header)
    await append(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  })
}

async function readHeader(
  file: RandomAccessFile,
): Promise<{ dtype: CheckpointDType; shape: number[]; start: number }> {
  const { path } = file
  const magic = await file.read(0, MAGIC.length + 2, 'the magic string')
  if (magic.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw malformed(path, 'no NumPy array file', {
      expected: JSON.stringify(MAGIC),
      got: JSON.stringify(magic.toString('latin1', 0, MAGIC.length)),
    })
  const version = magic[MAGIC.length]!
  if (version < 1 || version > 3)
    throw malformed(path, 'unknown version of the array file', { expected: '1 to 3', got: String(version) })
  // Version 1 has a length of two bytes, the later ones of four.
  const lengthBytes = version === 1 ? 2 : 4
  const length = (await file.read(magic.length, lengthBytes, 'the header')).readUIntLE(0, lengthBytes)
  if (length > MAX_HEADER_BYTES)
    throw malformed(path, 'absurd header', {
      expected: `at most ${MAX_HEADER_BYTES} bytes`,
      got: String(length),
    })
  const start = magic.length + lengthBytes + length
  return { ...parseHeader(path, (await file.read(start - length, length, 'the header')).toString()), start }
}

function parseHeader(path: string, text: string): { dtype: CheckpointDType; shape: number[] } {
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1]
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1]
  const sizes = /'shape':\s*\(([\d\s,]*)\)/.exec(text)?.[1]
  const shape = sizes?.split(',').map((size) => size.trim())
  if (descr === undefined || order === undefined || shape === undefined)
    throw malformed(path, 'bad header', {
      expected: "'descr', 'fortran_order' and 'shape'",
      got: JSON.stringify(text.slice(0, 200)),
    })
  const dtype = dtypes.get(descr)
  if (!dtype)
    throw malformed(path, 'unsupported type of elements', {
      expected: `one of ${[...dtypes.keys()].join(', ')}`,
      got: descr,
    })
  if (order === 'True')
    throw malformed(path, 'the array is in Fortran order', {
      expected: 'C order, as numpy.ascontiguousarray() gives',
      got: 'fortran_order: True',
    })
  // A tuple of one ends in a comma, that of a scalar is empty.
  const counts = shape.filter((size, i) => size !== '' || i < shape.length - 1).map(Number)
  if (!counts.every(isCount)) throw malformed(path, 'bad shape', { got: `(${sizes!})` })
  return { dtype, shape: counts }
}
