import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { DatasetError } from '../../errors.js'
import { decodeImage, loadImage } from '../image.js'
import type { Preprocessing } from '../preprocessing.js'
import { checkIndex, type Dataset, type Example, type Split } from './dataset.js'

const EXTENSIONS: ReadonlySet<string> = new Set(['.jpg', '.jpeg', '.png', '.webp', '.avif', '.gif'])

/** What the folders of the splits are called in practice. */
const SPLIT_FOLDERS: Record<Split, readonly string[]> = {
  train: ['train'],
  test: ['test', 'val', 'validation'],
}

/** Images in one folder a class, decoded when they are asked for. */
export class FolderDataset implements Dataset {
  readonly size: number

  constructor(
    readonly name: string,
    readonly classes: readonly string[],
    private readonly files: readonly { readonly path: string; readonly label: number }[],
  ) {
    this.size = files.length
  }

  label(index: number): number {
    return this.files[checkIndex(this, index)]!.label
  }

  /** Where an example lies. */
  path(index: number): string {
    return this.files[checkIndex(this, index)]!.path
  }

  async get(index: number, preprocessing?: Preprocessing): Promise<Example> {
    const { path, label } = this.files[checkIndex(this, index)]!
    const image = preprocessing ? await loadImage(path, preprocessing) : await decodeImage(path)
    return { image, label }
  }
}

/**
 * Opens a folder that holds one folder a class; classes and images are in the order of their names' code units,
 * as torchvision's `ImageFolder` sorts them. When the folder holds `train` and `test` (or `val`) folders, the
 * one of the split is used.
 *
 * @throws DatasetError when there are no class folders, or one of them holds no image.
 */
export async function openFolder(folder: string, split: Split): Promise<FolderDataset> {
  const root = await splitFolder(resolve(folder), split)
  const classes = await subfolders(root)
  if (classes.length === 0)
    throw new DatasetError(`${root} holds no folders: images must lie in one folder a class`, {
      subject: root,
    })
  const files = await Promise.all(
    classes.map(async (name, label) => {
      const images = await imagesIn(join(root, name))
      if (images.length === 0)
        throw new DatasetError(`class folder ${join(root, name)} holds no image`, {
          subject: join(root, name),
          expected: [...EXTENSIONS].join(', '),
        })
      return images.map((path) => ({ path, label }))
    }),
  )
  return new FolderDataset(basename(resolve(folder)), classes, files.flat())
}

async function splitFolder(folder: string, split: Split): Promise<string> {
  const names = await subfolders(folder)
  const own = SPLIT_FOLDERS[split].find((name) => names.includes(name))
  if (own) return join(folder, own)
  const other = SPLIT_FOLDERS[split === 'train' ? 'test' : 'train'].find((name) => names.includes(name))
  if (other === undefined) return folder
  throw new DatasetError(`${folder} holds "${other}" but no folder for the split "${split}"`, {
    subject: folder,
    expected: SPLIT_FOLDERS[split].join(' or '),
  })
}

async function subfolders(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new DatasetError(`cannot read the folder ${folder}: ${(cause as Error).message}`, {
      subject: folder,
      cause,
    })
  })
  // stat, not the entry's own type: class folders are often links into a larger collection.
  const kept = await Promise.all(
    names.map(async (name) => !name.startsWith('.') && (await isFolder(join(folder, name)))),
  )
  return names.filter((_, i) => kept[i]).sort()
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

/**
 * The images of a folder and of those in it.
 * @throws DatasetError when there are none
 */
export async function imageFiles(folder: string): Promise<readonly string[]> {
  const images = (await isFolder(folder)) ? await imagesIn(folder) : []
  if (images.length > 0) return images
  throw new DatasetError(`${folder} is no folder that holds images`, {
    subject: folder,
    expected: [...EXTENSIONS].join(', '),
  })
}

async function imagesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  return names
    .filter((name) => EXTENSIONS.has(extname(name).toLowerCase()) && !basename(name).startsWith('.'))
    .sort()
    .map((name) => join(folder, name))
}
