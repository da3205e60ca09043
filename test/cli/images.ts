import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { CIFAR10_CLASSES } from '../../ts/data/datasets/cifar10.js'
import { levels } from '../support/fixture-weights.js'

/** Writes an image of 32 x 32 pixels, flat blocks of colour that depend on its name. */
export async function writeImage(folder: string, name: string): Promise<string> {
  const blocks = levels(name, 4 * 4 * 3)
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => {
    const [row, column, channel] = [Math.floor(i / 96), Math.floor((i % 96) / 3), i % 3]
    return 127.5 * (1 + blocks[(Math.floor(row / 8) * 4 + Math.floor(column / 8)) * 3 + channel]!)
  })
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${name}.png`)
  await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } }).toFile(path)
  return path
}

/** Writes an image of each of so many classes, `i` of them of the class with index i. @returns paths and labels */
export async function writeClasses(
  folder: string,
  counts: readonly number[],
): Promise<{ path: string; label: number }[]> {
  const files: { path: string; label: number }[] = []
  for (const [label, count] of counts.entries())
    for (let i = 0; i < count; i++) {
      const path = await writeImage(join(folder, className(label)), `${className(label)}-${i}`)
      files.push({ path, label })
    }
  return files
}

/** CIFAR-10's classes are in alphabetical order, as folders of classes are taken. */
function className(label: number): string {
  return CIFAR10_CLASSES[label] ?? `zebra${label}`
}
