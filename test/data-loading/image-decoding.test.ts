import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type OverlayOptions } from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeImage } from '../../ts/data/image.js'
import { pixel, positions, raw, temporaryFolder } from './helpers.js'

const folder = temporaryFolder()
const image = positions(48, 32)
const encoder = () => sharp(image.data, raw(image))

describe('decodeImage', () => {
  it.each([
    ['PNG', () => encoder().png()],
    ['WebP', () => encoder().webp({ lossless: true })],
    ['AVIF', () => encoder().avif({ lossless: true, effort: 0 })],
  ])('reads %s without loss, from bytes and from a file', async (name, encode) => {
    const bytes = await encode().toBuffer()
    const path = join(folder, name)
    await writeFile(path, bytes)
    // AVIF's lossless mode still goes through YCbCr.
    const tolerance = name === 'AVIF' ? 3 : 0
    for (const source of [bytes, new Uint8Array(bytes), path]) {
      const { width, height, channels, data } = await decodeImage(source)
      expect([width, height, channels]).toEqual([48, 32, 3])
      expect(Math.max(...data.map((value, i) => Math.abs(value - image.data[i]!)))).toBeLessThanOrEqual(
        tolerance,
      )
    }
  })

  it('reads JPEG, baseline and progressive', async () => {
    for (const progressive of [false, true]) {
      const bytes = await sharp({ create: { width: 16, height: 8, channels: 3, background: '#c81e3c' } })
        .jpeg({ progressive, quality: 100 })
        .toBuffer()
      const { width, height, data } = await decodeImage(bytes)
      expect([width, height]).toEqual([16, 8])
      for (const [c, expected] of [200, 30, 60].entries())
        expect(Math.abs(data[c]! - expected)).toBeLessThanOrEqual(2)
    }
  })

  it('reads the first frame of a GIF', async () => {
    const frames = ['#ff0000', '#0000ff'].map((background) => ({
      create: { width: 4, height: 4, channels: 3, background },
    }))
    const strip: OverlayOptions[] = frames.map((input, i) => ({ input: input as never, left: 0, top: 4 * i }))
    const sheet = await sharp({ create: { width: 4, height: 8, channels: 3, background: '#000' } })
      .composite(strip)
      .raw()
      .toBuffer()
    const bytes = await sharp(sheet, { raw: { width: 4, height: 8, channels: 3, pageHeight: 4 } })
      .gif({ delay: [100, 100] })
      .toBuffer()
    expect((await sharp(bytes).metadata()).pages).toBe(2)
    const decoded = await decodeImage(bytes)
    expect([decoded.width, decoded.height]).toEqual([4, 4])
    expect(pixel(decoded, 0, 0)).toEqual([255, 0, 0])
  })

  it('applies each of the eight EXIF orientations', async () => {
    // Where the stored corner pixels (0, 0), (1, 0) and (0, 1) of a 3 x 2 image belong, by the EXIF standard.
    const shown: Record<number, [number, number][]> = {
      1: [
        [0, 0],
        [1, 0],
        [0, 1],
      ],
      2: [
        [2, 0],
        [1, 0],
        [2, 1],
      ],
      3: [
        [2, 1],
        [1, 1],
        [2, 0],
      ],
      4: [
        [0, 1],
        [1, 1],
        [0, 0],
      ],
      5: [
        [0, 0],
        [0, 1],
        [1, 0],
      ],
      6: [
        [1, 0],
        [1, 1],
        [0, 0],
      ],
      7: [
        [1, 2],
        [1, 1],
        [0, 2],
      ],
      8: [
        [0, 2],
        [0, 1],
        [1, 2],
      ],
    }
    const small = positions(3, 2)
    for (const [orientation, [origin, right, below]] of Object.entries(shown)) {
      const bytes = await sharp(small.data, raw(small))
        .withMetadata({ orientation: Number(orientation) })
        .webp({ lossless: true })
        .toBuffer()
      const decoded = await decodeImage(bytes)
      expect([decoded.width, decoded.height]).toEqual(Number(orientation) < 5 ? [3, 2] : [2, 3])
      expect(pixel(decoded, ...origin!), `orientation ${orientation}`).toEqual(pixel(small, 0, 0))
      expect(pixel(decoded, ...right!), `orientation ${orientation}`).toEqual(pixel(small, 1, 0))
      expect(pixel(decoded, ...below!), `orientation ${orientation}`).toEqual(pixel(small, 0, 1))
    }
  })

  it('flattens transparency on white', async () => {
    const rgba = Buffer.from([10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 128])
    const decoded = await decodeImage(
      await sharp(rgba, { raw: { width: 3, height: 1, channels: 4 } })
        .png()
        .toBuffer(),
    )
    expect(decoded.channels).toBe(3)
    expect(pixel(decoded, 0, 0)).toEqual([255, 255, 255])
    expect(pixel(decoded, 1, 0)).toEqual([10, 20, 30])
    for (const value of pixel(decoded, 2, 0)) expect(Math.abs(value - 127)).toBeLessThanOrEqual(1)
  })

  it('spreads grey over three channels, with and without transparency', async () => {
    const grey = await sharp(Buffer.from([0, 77, 255, 128]), { raw: { width: 4, height: 1, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    expect((await sharp(grey).metadata()).channels).toBe(1)
    const decoded = await decodeImage(grey)
    expect([0, 1, 2, 3].map((x) => pixel(decoded, x, 0))).toEqual([0, 77, 255, 128].map((v) => [v, v, v]))

    const transparent = await sharp(Buffer.from([0, 0, 77, 255]), {
      raw: { width: 2, height: 1, channels: 2 },
    })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    expect((await sharp(transparent).metadata()).channels).toBe(2)
    const flat = await decodeImage(transparent)
    expect([pixel(flat, 0, 0), pixel(flat, 1, 0)]).toEqual([
      [255, 255, 255],
      [77, 77, 77],
    ])
  })

  it('reduces 16 bit to 8', async () => {
    const values = Uint16Array.from([0, 0x4d4d, 0xffff, 0x8080, 0x0101, 0xfefe])
    const bytes = await sharp(values, { raw: { width: 2, height: 1, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer()
    expect((await sharp(bytes).metadata()).depth).toBe('ushort')
    expect([...(await decodeImage(bytes)).data]).toEqual([0, 0x4d, 255, 0x80, 1, 0xfe])
  })

  it('converts CMYK to sRGB', async () => {
    const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#c81e3c' } })
      .toColourspace('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer()
    expect((await sharp(bytes).metadata()).space).toBe('cmyk')
    const { channels, data } = await decodeImage(bytes)
    expect(channels).toBe(3)
    // The colours of print are fewer: near, not equal.
    expect(data[0]).toBeGreaterThan(170)
    expect(data[1]).toBeLessThan(60)
    expect(data[2]).toBeLessThan(90)
  })

  it('sees a file that was overwritten', async () => {
    const path = join(folder, 'frame.webp')
    for (const value of [10, 200]) {
      const frame = sharp({
        create: { width: 2000, height: 2000, channels: 3, background: { r: value, g: value, b: value } },
      })
      await writeFile(path, await frame.webp().toBuffer())
      expect((await decodeImage(path)).data[0]).toBe(value)
    }
  })
})
