import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FoveaError } from '../../ts/errors.js'
import { readNpy, writeNpy } from '../../ts/io/npy.js'
import { tensor } from '../../ts/tensor.js'
import { writeParts } from './builders.js'
import { expected, failureOf, odd, put, temporaryFolder } from './files.js'

const folder = temporaryFolder()

describe('a NumPy array file', () => {
  it.each(Object.keys(expected.npy))('%s reads as NumPy wrote it', async (file) => {
    const { shape, data } = await readNpy(odd(file))
    expect({ shape, values: [...data] }).toEqual(expected.npy[file])
  })

  it.each(['f4.npy', 'scalar.npy', 'vector.npy', 'empty.npy', 'four.npy'])(
    'written like %s has the bytes of NumPy',
    async (file) => {
      const path = join(folder, file)
      await writeNpy(path, await readNpy(odd(file)))
      expect(readFileSync(path)).toEqual(readFileSync(odd(file)))
    },
  )

  it('can be written from a part of a buffer', async () => {
    const path = join(folder, 'part.npy')
    await writeNpy(path, tensor(new Float32Array([1, 2, 3, 4]).subarray(1, 3), [2]))
    expect([...(await readNpy(path)).data]).toEqual([2, 3])
  })

  it.each([
    ['fortran.npy', /Fortran order: expected C order/],
    ['big-endian.npy', /unsupported type of elements: .* got >f4/],
    ['text.npy', /unsupported type of elements: .* got <U1/],
    ['missing.npy', /ENOENT/],
    ['views.pth', /no NumPy array file/],
  ])('is refused: %s', async (file, message) => {
    const error = await failureOf(readNpy(odd(file)))
    expect(error).toMatchObject({ name: 'CheckpointError', code: 'CHECKPOINT_FORMAT' })
    expect(error.message).toContain(odd(file))
    expect(error.message).toMatch(message)
  })

  it('is refused with a shape that its data do not fill', async () => {
    const text = (shape: string): Buffer => {
      const bytes = readFileSync(odd('f4.npy'))
      const header = bytes
        .toString('latin1')
        .replace(/\(2, 3\), }( +)/, (all) => `(${shape}), }`.padEnd(all.length))
      return Buffer.from(header, 'latin1')
    }
    for (const shape of ['2, 4', '1000000, 1000000', '9999999999999, 99999999999', '2,,3', '1, 5'])
      expect((await failureOf(readNpy(put(folder, 'shape.npy', text(shape))))).message).toMatch(/size|shape/)
    await expect(readNpy(put(folder, 'shape.npy', text('3, 2,')))).resolves.toMatchObject({ shape: [3, 2] })
  })

  it('is refused with an absurdly long header', async () => {
    const path = join(folder, 'long.npy')
    writeParts(path, [Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\x03', 'latin1'), { hole: 100_000_000 }])
    expect((await failureOf(readNpy(path))).message).toMatch(/absurd header: expected at most 65536 bytes/)
  })

  it('is refused wherever it is cut off, and never fails otherwise with any byte changed', async () => {
    const whole = readFileSync(odd('f4.npy'))
    for (let length = 0; length < whole.length; length++) {
      const path = put(folder, 'cut.npy', whole.subarray(0, length))
      expect(await failureOf(readNpy(path))).toMatchObject({ code: 'CHECKPOINT_FORMAT' })
    }
    for (const change of [0xff, 0x01, 0x80])
      for (let at = 0; at < whole.length; at++) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= change
        await readNpy(put(folder, 'changed.npy', bytes)).catch((error: unknown) => {
          if (!(error instanceof FoveaError)) throw error
        })
      }
  })

  it('is refused where nothing can be written', async () => {
    const error = await failureOf(writeNpy(join(folder, 'no', 'out.npy'), tensor(new Float32Array(1), [1])))
    expect(error.message).toMatch(/out\.npy: cannot be written: ENOENT/)
    expect(error.code).toBe('WRITE')
  })
})
