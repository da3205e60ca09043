import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, test } from 'vitest'
import { numbers, parseCases } from '../../bench/support/networks.js'
import { spell } from '../../bench/support/problems.js'
import { regressions } from '../../bench/support/regressions.js'
import { readResults, writeResults } from '../../bench/support/results.js'
import type { KernelRow } from '../../bench/support/rows.js'
import { callsFor, geometricMean } from '../../bench/support/statistics.js'
import { quartiles } from '../../ts/report/quartiles.js'

test('figures come back from CSV as they were', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fovea-results-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'new', 'figures.csv')
  const results = {
    machine: { processor: 'one: "fast", of ours', date: '2026-01-01' },
    rows: [
      { network: 'resnet18', what: 'a, "b"', ms: 1.5, ratio: null },
      { network: 'vgg16', what: '', ms: 0.001, ratio: 2 },
    ],
  }
  await writeResults(path, results)
  expect((await readFile(path, 'utf8')).split('\n').slice(0, 4)).toEqual([
    '# processor: one: "fast", of ours',
    '# date: 2026-01-01',
    'network,what,ms,ratio',
    'resnet18,"a, ""b""",1.5,',
  ])
  const [first, second] = results.rows
  expect(await readResults(path)).toEqual({ ...results, rows: [first, { ...second, what: null }] })
})

test('quartiles lie between neighbours', () => {
  expect(quartiles([4, 1, 3, 2])).toEqual({ low: 1.75, median: 2.5, high: 3.25 })
  expect(quartiles([7])).toEqual({ low: 7, median: 7, high: 7 })
  expect(quartiles([]).median).toBeNaN()
})

test('means and counts', () => {
  expect(geometricMean([1, 4, 16])).toBeCloseTo(4, 12)
  expect([callsFor(10), callsFor(3000), callsFor(10, 1000)]).toEqual([10, 1, 100])
})

describe('cases', () => {
  const all = { modes: ['inference', 'training'], batches: [1, 8] } as const

  it('are a network in every mode at every batch, with its own batch in training', () => {
    expect(parseCases(['alexnet'], all)).toEqual([
      { network: 'alexnet', mode: 'inference', batch: 1 },
      { network: 'alexnet', mode: 'inference', batch: 8 },
      { network: 'alexnet', mode: 'training', batch: 32 },
    ])
    expect(parseCases([], all)).toHaveLength(3 * 7)
  })

  it('are what a word says', () => {
    expect(parseCases(['resnet50:training:4', 'vgg16:2'], { ...all, modes: ['inference'] })).toEqual([
      { network: 'resnet50', mode: 'training', batch: 4 },
      { network: 'vgg16', mode: 'inference', batch: 2 },
    ])
  })

  it('are refused where they make no sense', () => {
    expect(() => parseCases(['resnet5O'], all)).toThrow(/did you mean resnet50/)
    expect(() => numbers('1,x')).toThrow('expected numbers as in 1,8, got 1,x')
  })
})

test('a problem is spelt as the C++ program reads it', () => {
  const f32 = (...shape: number[]) => ({ shape, dtype: 'f32' }) as const
  const attributes = {
    stride: [2, 2],
    padding: [3, 3, 3, 3],
    dilation: [1, 1],
    groups: 1,
    activation: 'relu',
  } as const
  const inputs = [f32(1, 3, 224, 224), f32(64, 3, 7, 7), f32(64), null]
  expect(spell({ op: 'convolution', attributes, inputs, outputs: [f32(1, 64, 112, 112)] })).toBe(
    'convolution in=1x3x224x224,64x3x7x7,64,- out=1x64x112x112 ' +
      'stride=2x2 padding=3x3x3x3 dilation=1x1 groups=1 activation=relu',
  )
  // Seeds and rates make no difference; element types do.
  const random = { shape: [4], dtype: 'i32' } as const
  expect(
    spell({ op: 'dropout', attributes: { p: 0.5, stream: 7 }, inputs: [f32(2), random], outputs: [f32(2)] }),
  ).toBe('dropout in=2,i32:4 out=2')
})

describe('regressions', () => {
  const row = (problem: string, low: number, middle: number, high: number) =>
    ({ problem, mode: 'inference', ofCeiling: middle, ofCeilingLow: low, ofCeilingHigh: high }) as KernelRow
  const before = [
    row('a', 0.78, 0.8, 0.82),
    row('b', 0.78, 0.8, 0.82),
    row('c', 0.5, 0.8, 0.9),
    row('d', 0.78, 0.8, 0.82),
  ]

  it('are losses of more than a tenth that the scatter does not explain', () => {
    const now = [
      row('a', 0.68, 0.7, 0.72),
      row('b', 0.73, 0.75, 0.77), // less than a tenth
      row('c', 0.68, 0.7, 0.72), // within what was measured before
      row('d', 0.88, 0.9, 0.92),
      row('e', 0.1, 0.1, 0.1), // not known before
    ]
    expect(regressions(now, before)).toEqual([{ row: now[0], before: 0.8 }])
  })
})
