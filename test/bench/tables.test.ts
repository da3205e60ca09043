import { describe, expect, it } from 'vitest'
import type { Results } from '../../bench/support/results.js'
import type { KernelRow, NetworkRow } from '../../bench/support/rows.js'
import { fillIn, TABLES, type Figures } from '../../bench/support/tables.js'

const NOTHING: Figures = {
  inference: null,
  training: null,
  kernels: null,
  kernelsResnet50: null,
  overhead: null,
  scale: null,
  busy: null,
  int8: null,
  startup: null,
}
const machine = { processor: 'ours', date: '2026-01-01' }

function contender(name: string, mode: string, batch: number, ms: number, ratio: number): NetworkRow {
  const times = { ms, msLow: 0.9 * ms, msHigh: 1.1 * ms, imagesPerSecond: (1000 * batch) / ms }
  const ratios = { ratio, ratioLow: 0.9 * ratio, ratioHigh: 1.1 * ratio, memoryRatio: 2, difference: null }
  return {
    network: 'resnet18',
    mode,
    batch,
    threads: 2,
    contender: name,
    version: '1',
    ...times,
    peakMiB: 200,
    ...ratios,
  }
}

const inference: Results<NetworkRow> = {
  machine,
  rows: [
    contender('fovea', 'inference', 1, 10, 1),
    contender('onnxruntime', 'inference', 1, 13, 1.3),
    contender('fovea', 'inference', 8, 64, 1),
    contender('onnxruntime', 'inference', 8, 128, 2),
  ],
}
const training: Results<NetworkRow> = {
  machine: { ...machine, date: '2026-01-02' },
  rows: [
    contender('fovea', 'training', 16, 400, 1),
    contender('pytorch', 'training', 16, 800, 2),
    contender('pytorch-channels-last', 'training', 16, 600, 1.5),
  ],
}

const kernel = (layer: string, ofGemm: number, ratio: number | null) =>
  ({
    ...{ op: 'convolution', network: 'resnet50', mode: 'inference', layer, kernel: 'jit', count: 2 },
    ...{ us: 120, gflops: 300, ofGemm, ofCeiling: ofGemm, ratio },
  }) as KernelRow

const cells = (line: string | undefined) => (line ?? '').split('|').map((cell) => cell.trim())
const lineOf = (text: string, start: string) => text.split('\n').find((line) => line.startsWith(`| ${start}`))

describe('tables', () => {
  it('say so where nothing is measured', () => {
    for (const table of Object.values(TABLES)) expect(table(NOTHING)).toBe('_Not measured yet._')
  })

  it('show a line a network, with the better layout of PyTorch, and where it was measured', () => {
    const text = TABLES.speed!({ ...NOTHING, inference, training })
    expect(cells(lineOf(text, 'resnet18'))).toEqual([
      '',
      'resnet18',
      '10.0',
      '1.30',
      '125',
      '2.00',
      '40.0 (16)',
      '1.50',
      '',
    ])
    expect(text).toContain('\n_processor ours; date 2026-01-01._\n')
    expect(text).toMatch(/\nTraining: _processor ours; date 2026-01-02\._$/)
  })

  it('show every contender, and the mean over networks', () => {
    const text = TABLES.inference!({ ...NOTHING, inference })
    expect(cells(lineOf(text, 'resnet18 | onnxruntime | 8'))).toEqual([
      '',
      'resnet18',
      'onnxruntime',
      '8',
      '128 (115 to 141)',
      '62.5',
      '2.00 (1.80 to 2.20)',
      '200',
      '2.00',
      '',
    ])
    expect(TABLES.training!({ ...NOTHING, training })).toContain('pytorch-channels-last')
    // The root of 1.3 x 2.
    expect(text).toContain('Geometric means of the ratios of times: onnxruntime 1.61.')
  })

  it('show means of kernels over shapes; what the library has not is left out', () => {
    const kernels = { machine, rows: [kernel('conv1', 0.5, 1.1), kernel('layer1.0.conv1', 2, null)] }
    const text = TABLES.kernels!({ ...NOTHING, kernels })
    expect(cells(lineOf(text, 'convolution'))).toEqual([
      '',
      'convolution',
      'inference',
      '2',
      '100 %',
      '100 %',
      '1.10',
      '',
    ])
    expect(TABLES['kernels-resnet50']!({ ...NOTHING, kernelsResnet50: kernels })).toContain(
      'Geometric mean: 100 % of the GEMM rate.',
    )
  })
})

describe('a document', () => {
  const document = (name: string, between = '') =>
    `# Title\n\n<!-- figures: ${name} -->\n${between}<!-- end of figures -->\n\nText.\n`

  it('has its tables written between the markers, and nothing else changed', () => {
    const filled = fillIn(document('overhead', '| old |\n'), NOTHING, 'a.md')
    expect(filled).toBe(document('overhead', '\n_Not measured yet._\n\n'))
    expect(fillIn(filled, NOTHING, 'a.md')).toBe(filled)
  })

  it('must not ask for what there is not, nor leave a table open', () => {
    expect(() => fillIn(document('sped'), NOTHING, 'a.md')).toThrow(
      /a\.md: no figures 'sped': there are speed, /,
    )
    const open = document('speed').replace('end of', 'end')
    expect(() => fillIn(open, NOTHING, 'a.md')).toThrow(
      'a.md: 1 tables of figures begin, 0 of them as they should',
    )
  })
})
