import { expect, test } from 'vitest'
import { BackendError } from '../../ts/errors.js'
import { chunks, prepareAhead } from '../../ts/evaluate/ahead.js'
import { largest, mean, rank, softmax } from '../../ts/evaluate/scores.js'

test('softmax', () => {
  const scores = softmax(Float32Array.of(0, Math.log(3), Math.log(4)), 'net')
  for (const [i, expected] of [0.125, 0.375, 0.5].entries()) expect(scores[i]).toBeCloseTo(expected, 7)
  expect([...softmax(Float32Array.of(1000, 1000), 'net')]).toEqual([0.5, 0.5])
})

test.each([NaN, Infinity, -Infinity])('a logit of %s is refused', (logit) => {
  expect(() => softmax(Float32Array.of(0, 1, logit), 'net')).toThrow(BackendError)
  expect(() => softmax(Float32Array.of(0, 1, logit), 'net')).toThrow(`net gives ${logit} for class 2`)
})

test('rank and largest agree, and take equals in their order', () => {
  const scores = Float64Array.of(0.1, 0.4, 0.1, 0.4)
  expect(largest(scores, 3)).toEqual([1, 3, 0])
  expect(largest(scores, 9)).toEqual([1, 3, 0, 2])
  expect([0, 1, 2, 3].map((label) => rank(scores, label))).toEqual([2, 0, 3, 1])
})

test('mean', () => {
  expect([...mean([Float64Array.of(0, 1), Float64Array.of(0.5, 0.5)])]).toEqual([0.25, 0.75])
})

test('items are prepared ahead, two beyond the one in use, and come in their order', async () => {
  const begun: number[] = []
  const prepare = async (item: number) => {
    begun.push(item)
    // Later items are ready first.
    await new Promise((resolve) => setTimeout(resolve, 20 - 4 * item))
    return 10 * item
  }
  const seen: number[] = []
  for await (const item of prepareAhead([0, 1, 2, 3, 4], prepare)) {
    seen.push(item)
    expect(begun).toHaveLength(Math.min(5, seen.length + 2))
  }
  expect(seen).toEqual([0, 10, 20, 30, 40])
})

test('a failure comes in its turn, and one that nobody waits for harms nobody', async () => {
  const prepare = (item: number) => (item === 1 ? Promise.reject(new Error('bad')) : Promise.resolve(item))
  const seen: number[] = []
  await expect(async () => {
    for await (const item of prepareAhead([0, 1, 2], prepare)) seen.push(item)
  }).rejects.toThrow('bad')
  expect(seen).toEqual([0])
  for await (const item of prepareAhead([0, 1, 2], prepare)) {
    expect(item).toBe(0)
    break
  }
  await new Promise((resolve) => setTimeout(resolve))
})

test('chunks', () => {
  expect([...chunks([1, 2, 3, 4, 5], 2)]).toEqual([[1, 2], [3, 4], [5]])
  expect([...chunks([], 2)]).toEqual([])
})
