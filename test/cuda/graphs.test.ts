import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GRAPH_PATTERNS, GRAPH_TYPES } from './graph-patterns.js'
import { cudaSdk, sdkMissing } from './sdk.js'

// The graphs that convolutions are described by, checked by the real cuDNN. Without a GPU it knows no engines for
// them: only whether they are well formed.

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const SOURCES = [
  ...[
    'convolution_graphs',
    'cudnn_graph',
    'layout',
    'libraries',
    'library_search',
    'status',
    'shared_library',
  ],
  'driver',
].map((name) => path(`../../native/cuda/${name}.cc`))

interface Report {
  readonly name: string
  readonly refused: string
}

describe.skipIf(!cudaSdk)(cudaSdk ? 'the real cuDNN' : `the real cuDNN (${sdkMissing})`, () => {
  let scratch: string
  let reports: readonly Report[]
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'fovea-graphs-'))
    execFileSync('g++', [
      ...[
        '-std=c++20',
        '-O0',
        '-I',
        path('../../native'),
        '-I',
        path('../../native/cuda'),
        path('graphs.cc'),
      ],
      ...[...SOURCES, path('../../native/types.cc'), '-o', join(scratch, 'graphs'), '-ldl'],
    ])
    reports = execFileSync(join(scratch, 'graphs'), [...cudaSdk!.libraries], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Report)
  }, 120_000)
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  const right = ({ name }: Report) => !name.startsWith('wrong')

  test('takes every convolution, forward and backward, with what is fused to it', () => {
    const patterns = new Set(reports.filter(right).map(({ name }) => name.split(', ').at(-1)!))
    expect([...patterns].sort()).toEqual(GRAPH_PATTERNS.toSorted())
    expect(reports.filter(right)).toHaveLength(9 * GRAPH_TYPES.length * GRAPH_PATTERNS.length)
    expect(reports.filter(right).filter(({ refused }) => refused !== '')).toEqual([])
  })

  test('refuses a result of the wrong size', () => {
    const wrong = reports.filter((report) => !right(report))
    expect(wrong).toHaveLength(GRAPH_TYPES.length * GRAPH_PATTERNS.length)
    for (const { refused } of wrong) expect(refused).toContain('cudnnBackendFinalize')
  })
})
