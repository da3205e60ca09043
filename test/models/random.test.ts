import { describe, expect, test } from 'vitest'
import { angleOf, radiusOf, writePairs } from '../../ts/normals.js'
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

test('a stream is the words of consecutive counters, however many it makes at a time', () => {
  const seed = 3 * 2 ** 32 + 7
  const random = new RandomStream(seed, 5)
  for (let counter = 0; counter < 5000; counter++) {
    const expected = philox([counter, 0, 5, 0], [seed, seed / 2 ** 32])
    for (const word of expected) expect(random.word()).toBe(word)
  }
})

describe('an array of normal numbers', () => {
  test.each([0, 1, 2, 3, 4095, 4096, 10_001, 300_000])('of %i is what they are one by one', (length) => {
    for (const before of [0, 1, 2, 3]) {
      const [whole, single] = [new RandomStream(9, length), new RandomStream(9, length)]
      for (const random of [whole, single]) {
        random.word()
        for (let i = 0; i < before; i++) random.normal()
      }
      const numbers = new Float32Array(length)
      whole.fillNormal(numbers, 0.01)
      const expected = Float32Array.from({ length }, () => 0.01 * single.normal())
      expect(Buffer.from(numbers.buffer).equals(Buffer.from(expected.buffer))).toBe(true)
      // The stream goes on where it would.
      expect(whole.normal()).toBe(single.normal())
      expect(whole.normal()).toBe(single.normal())
      expect(whole.word()).toBe(single.word())
    }
  })

  const edges = [0, 1, 2, 3, 0xffff, 0x10000, 0xffefffff, 0xfff00000, 0xfff00001, 0xfffffffe, 0xffffffff]
  const parts = [0, 1, 255, 512, 1023].flatMap((part) =>
    [0, 1, 2 ** 21, 2 ** 22 - 1].map((d) => part * 2 ** 22 + d),
  )
  test.each<[string, readonly (readonly [number, number])[]]>([
    [
      'where tables end',
      [...edges, ...parts].flatMap((a) => [...edges, ...parts].map((b) => [a, b] as const)),
    ],
    // Found by a search: without a second look each of these is rounded to the neighbour.
    [
      'almost between two float32',
      [
        [956482041, 3221225482],
        [1937041506, 3221225752],
        [3629561498, 2148657786],
      ],
    ],
  ])('%s', (_, pairs) => {
    const numbers = new Float32Array(2 * pairs.length)
    writePairs(Uint32Array.from(pairs.flat()), 1, numbers, 0)
    const expected = pairs.flatMap(([a, b]) => [
      radiusOf(a) * Math.cos(angleOf(b)),
      radiusOf(a) * Math.sin(angleOf(b)),
    ])
    expect(numbers).toEqual(Float32Array.from(expected))
  })
})
