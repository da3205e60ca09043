import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { DatasetError } from '../../errors.js'
import { elementCount, formatShape } from '../../tensor.js'
import { ArrayDataset } from './dataset.js'

/** An array of unsigned bytes, as MNIST's IDX format stores it. */
export interface IdxArray {
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

const UNSIGNED_BYTE = 0x08
const LARGEST = 2 ** 30

/** Reads an IDX file of unsigned bytes, gzip'd or not. */
export async function readIdx(path: string): Promise<IdxArray> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
    if (bytes[0] === 0x1f && bytes[1] === 0x8b)
      bytes = await promisify(gunzip)(bytes, { maxOutputLength: LARGEST })
  } catch (cause) {
    throw new DatasetError(`cannot read ${path}: ${(cause as Error).message}`, { subject: path, cause })
  }
  return parseIdx(bytes, path)
}

/**
 * Parses an IDX array of unsigned bytes.
 *
 * @throws DatasetError naming `subject` when the header is not IDX or does not fit the length.
 */
export function parseIdx(bytes: Uint8Array, subject = 'IDX data'): IdxArray {
  const fail = (text: string): never => {
    throw new DatasetError(`${subject}: ${text}`, { subject })
  }
  const [zero, one, type, rank = 0] = bytes
  if (zero !== 0 || one !== 0) fail('not an IDX file')
  if (type !== UNSIGNED_BYTE) fail(`elements of type ${type ?? 'none'}, only unsigned bytes are read`)
  const start = 4 + 4 * rank
  if (rank === 0 || bytes.length < start) fail('the header is cut off')
  const view = new DataView(bytes.buffer, bytes.byteOffset, start)
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
  const data = bytes.subarray(start)
  if (data.length !== elementCount(shape))
    fail(`${data.length} elements, but the header promises ${formatShape(shape)}`)
  return { shape, data }
}

/** A data set of grey images from an IDX file of images and one of labels. */
export async function openIdxDataset(
  name: string,
  classes: readonly string[],
  imagesPath: string,
  labelsPath: string,
): Promise<ArrayDataset> {
  const [images, labels] = await Promise.all([readIdx(imagesPath), readIdx(labelsPath)])
  const [, height = 0, width = 0] = images.shape
  if (images.shape.length !== 3 || images.data.length === 0)
    throw new DatasetError(`${imagesPath}: images must be [N, H, W], got ${formatShape(images.shape)}`, {
      subject: imagesPath,
    })
  if (labels.shape.length !== 1)
    throw new DatasetError(`${labelsPath}: labels must be [N], got ${formatShape(labels.shape)}`, {
      subject: labelsPath,
    })
  return new ArrayDataset(name, classes, { width, height, channels: 1, data: images.data }, labels.data)
}
