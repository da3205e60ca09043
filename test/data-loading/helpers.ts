import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Image } from '../../ts/data/image.js'

/** A folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-data-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** An image whose every pixel tells its position: red is x, green is y, blue a mix. */
export function positions(width: number, height: number): Image {
  const data = new Uint8Array(3 * width * height)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data.set([x % 256, y % 256, (x * 7 + y * 13) % 256], 3 * (y * width + x))
  return { width, height, channels: 3, data }
}

/** The channels of one pixel. */
export function pixel({ width, channels, data }: Image, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * channels, (y * width + x + 1) * channels)]
}

export function raw({ width, height, channels }: Image) {
  return { raw: { width, height, channels } }
}

/** The error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('expected a rejection')
}

/** Whether two arrays hold the same bits; `toEqual` would take a second over the pixels of one image. */
export function sameBits(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
    Buffer.from(buffer, byteOffset, byteLength)
  return bytes(a).equals(bytes(b))
}

export function sameImage(a: Image, b: Image): boolean {
  return a.width === b.width && a.height === b.height && a.channels === b.channels && sameBits(a.data, b.data)
}
