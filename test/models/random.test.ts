import { expect, test } from 'vitest'
import { philox, RandomStream } from '../../ts/random.js'

// The known answers that the authors of Philox publish with Random123 (kat_vectors, philox4x32 10).
test.each([
  [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    '408f276d 41c83b0e a20bc7c6 6d5451fd',
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    'd16cfe09 94fdcceb 5001e420 24126ea1',
  ],
] as const)('Philox of %j gives the published answer', (counter, key, expected) => {
  const words = Array.from(philox(counter, key), (word) => word.toString(16).padStart(8, '0'))
  expect(words.join(' ')).toBe(expected)
})

test('normal numbers have mean 0 and deviation 1', () => {
  const random = new RandomStream(1, 2)
  const values = Array.from({ length: 100_000 }, () => random.normal())
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  expect(Math.abs(mean)).toBeLessThan(0.02)
  expect(Math.abs(variance - 1)).toBeLessThan(0.02)
})
