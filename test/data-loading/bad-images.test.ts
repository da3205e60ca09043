import { crc32 } from 'node:zlib'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { decodeImage, loadBatch, loadImage } from '../../ts/data/image.js'
import { TORCHVISION } from '../../ts/data/preprocessing.js'
import { ImageError } from '../../ts/errors.js'
import { failure, temporaryFolder } from './helpers.js'

const folder = temporaryFolder()
const photograph = sharp(join(import.meta.dirname, '../data/images/chelsea.png'))
const encoded: Record<string, Buffer> = {}

beforeAll(async () => {
  encoded.jpeg = await photograph.clone().jpeg().toBuffer()
  encoded.progressive = await photograph.clone().jpeg({ progressive: true }).toBuffer()
  encoded.png = await photograph.clone().png().toBuffer()
  encoded.webp = await photograph.clone().webp().toBuffer()
  encoded.avif = await photograph.clone().avif({ effort: 0 }).toBuffer()
  encoded.gif = await photograph.clone().gif({ effort: 1 }).toBuffer()
})

/** Both ways of reading refuse the file with an error that names it and says `reason`. */
async function refused(path: string, reason: RegExp): Promise<void> {
  for (const read of [() => decodeImage(path), () => loadImage(path, TORCHVISION)]) {
    const error = await failure(read())
    expect(error).toBeInstanceOf(ImageError)
    expect(error.code).toBe('IMAGE')
    expect(error.message).toContain(path)
    expect(error.message).toMatch(reason)
  }
}

describe('bad images', () => {
  it('a missing file', () => refused(join(folder, 'none.png'), /no such file/))

  it('a folder', async () => {
    await mkdir(join(folder, 'folder.png'))
    await refused(join(folder, 'folder.png'), /folder/)
  })

  it('an empty file', async () => {
    await writeFile(join(folder, 'empty.png'), '')
    await refused(join(folder, 'empty.png'), /empty/)
  })

  it('a text', async () => {
    await writeFile(join(folder, 'text.jpg'), 'These are not the pixels you are looking for.')
    await refused(join(folder, 'text.jpg'), /not an image/)
  })

  it('a drawing', async () => {
    await writeFile(
      join(folder, 'drawing.png'),
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    )
    await refused(join(folder, 'drawing.png'), /svg is not supported/)
  })

  it.each(['jpeg', 'progressive', 'png', 'webp', 'avif', 'gif'])('a truncated %s', async (format) => {
    const bytes = encoded[format]!
    await decodeImage(bytes)
    for (const part of [0.02, 0.5, 0.9, 0.999]) {
      const path = join(folder, `${part}.${format}`)
      await writeFile(path, bytes.subarray(0, Math.floor(part * bytes.length)))
      await refused(path, /./)
    }
  })

  it('a PNG with a flipped bit', async () => {
    const bytes = Buffer.from(encoded.png!)
    bytes[Math.floor(bytes.length / 2)]! ^= 4
    await writeFile(join(folder, 'flipped.png'), bytes)
    await refused(join(folder, 'flipped.png'), /png/)
  })

  it('a JPEG whose data break off, though its end is in place', async () => {
    const { jpeg } = encoded
    const path = join(folder, 'hole.jpg')
    await writeFile(path, Buffer.concat([jpeg!.subarray(0, jpeg!.length / 2), Buffer.from([0xff, 0xd9])]))
    await refused(path, /jpeg/i)
  })

  it('absurd dimensions', async () => {
    const bytes = await sharp(Buffer.alloc(3), { raw: { width: 1, height: 1, channels: 3 } })
      .png()
      .toBuffer()
    // The header's width and height, and its checksum.
    bytes.writeUInt32BE(100_000, 16)
    bytes.writeUInt32BE(100_000, 20)
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29)
    const path = join(folder, 'absurd.png')
    await writeFile(path, bytes)
    await refused(path, /pixel limit/)
  })

  it('bytes instead of a file, of which the error tells the length', async () => {
    for (const bytes of [new Uint8Array(), encoded.jpeg!.subarray(0, 3000)]) {
      const error = await failure(decodeImage(bytes))
      expect(error).toBeInstanceOf(ImageError)
      expect(error.message).toContain(`image of ${bytes.length} bytes`)
    }
  })

  it('one bad image in a batch', async () => {
    const bad = join(folder, 'none.png')
    const error = await failure(loadBatch([encoded.png!, bad, encoded.jpeg!], TORCHVISION))
    expect(error).toBeInstanceOf(ImageError)
    expect(error.message).toContain(bad)
  })
})
