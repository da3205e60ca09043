import { expect, test } from 'vitest'
import { toByteTensor, toTensor } from '../../ts/data/image.js'
import type { Image } from '../../ts/data/pixels.js'
import { inputSide, MNIST, type Preprocessing } from '../../ts/data/preprocessing.js'
import { InvalidArgumentError } from '../../ts/errors.js'

const grey: Image = { width: 2, height: 2, channels: 1, data: Uint8Array.of(255, 51, 0, 102) }
const small: Preprocessing = { ...MNIST, size: 2, resize: 2, padding: 1 }

test('padding is a black frame, before the normalisation', () => {
  const { shape, data } = toTensor([grey], { ...small, mean: [0.5], deviation: [0.5] })
  expect(shape).toEqual([1, 1, 4, 4])
  // prettier-ignore
  expect([...data].map((x) => Math.round(x * 1000) / 1000)).toEqual([
    -1, -1, -1, -1,
    -1, 1, -0.6, -1,
    -1, -1, -0.2, -1,
    -1, -1, -1, -1,
  ])
})

test('bytes are padded too, all channels of a pixel together', () => {
  const { shape, data } = toByteTensor([grey, grey], {
    ...small,
    channels: 'BGR',
    mean: [0, 0, 0],
    deviation: [1, 1, 1],
  })
  expect(shape).toEqual([2, 4, 4, 3])
  const row = 4 * 3
  const second = data.subarray(4 * row)
  expect([...second.subarray(row, 2 * row)]).toEqual([0, 0, 0, 255, 255, 255, 51, 51, 51, 0, 0, 0])
  expect([...second.subarray(0, row)]).toEqual(Array.from({ length: row }, () => 0))
})

test('padding counts in the side of the input', () => {
  expect(inputSide(MNIST)).toBe(28)
  expect(inputSide({ ...MNIST, padding: 2 })).toBe(32)
})

test.each([-1, 0.5, NaN])('padding of %s is refused', (padding) => {
  expect(() => toTensor([grey], { ...small, padding })).toThrow(InvalidArgumentError)
})
