import { geometricMean } from './statistics.js'
import type { Results } from './results.js'
import type { BusyRow, Int8Row, KernelRow, NetworkRow, OverheadRow, ScaleRow, StartupRow } from './rows.js'

/** Everything that is measured; null where it has not been yet. */
export interface Figures {
  readonly inference: Results<NetworkRow> | null
  readonly training: Results<NetworkRow> | null
  readonly kernels: Results<KernelRow> | null
  readonly kernelsResnet50: Results<KernelRow> | null
  readonly overhead: Results<OverheadRow> | null
  readonly scale: Results<ScaleRow> | null
  readonly busy: Results<BusyRow> | null
  readonly int8: Results<Int8Row> | null
  readonly startup: Results<StartupRow> | null
}

/** The tables that documents may have, by the name in their markers. */
export const TABLES: Readonly<Record<string, (figures: Figures) => string>> = {
  speed: ({ inference, training }) =>
    orNothing(inference, ({ rows }) => speedTable([...rows, ...(training?.rows ?? [])])) +
    (training ? `\n\nTraining: ${provenance(training)}` : ''),
  inference: ({ inference }) => orNothing(inference, comparison),
  training: ({ training }) => orNothing(training, comparison),
  kernels: ({ kernels }) => orNothing(kernels, kernelTable),
  'kernels-resnet50': ({ kernelsResnet50 }) => orNothing(kernelsResnet50, convolutionTable),
  overhead: ({ overhead }) => orNothing(overhead, overheadTable),
  scale: ({ scale }) => orNothing(scale, scaleTable),
  busy: ({ busy }) => orNothing(busy, busyTable),
  int8: ({ int8 }) => orNothing(int8, int8Table),
  startup: ({ startup }) => orNothing(startup, startupTable),
}

function orNothing<R extends Results>(results: R | null, table: (results: R) => string): string {
  return results ? `${table(results)}\n\n${provenance(results)}` : '_Not measured yet._'
}

/** Where and when the figures were measured. */
function provenance({ machine }: Results): string {
  return `_${Object.entries(machine)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ')}._`
}

type Cell = string | number

/** A table in Markdown; all columns but the first `texts` are numbers. */
function markdown(titles: readonly string[], rows: readonly (readonly Cell[])[], texts = 1): string {
  const line = (cells: readonly Cell[]) => `| ${cells.join(' | ')} |`
  return [line(titles), line(titles.map((_, i) => (i < texts ? '---' : '--:'))), ...rows.map(line)].join('\n')
}

/** `1.23` with so many digits behind the point that three count. */
function short(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return ''
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`
const spread = (low: number, middle: number, high: number) =>
  `${short(middle)} (${short(low)} to ${short(high)})`
const unique = <T>(values: readonly T[]): T[] => [...new Set(values)]

/** One line a network: its speed, and the ratio to the fastest of the others. */
function speedTable(rows: readonly NetworkRow[]): string {
  const pick = (network: string, mode: string, contender: string, batch?: number) =>
    rows.find(
      (row) =>
        row.network === network &&
        row.mode === mode &&
        row.contender === contender &&
        (batch === undefined || row.batch === batch),
    )
  const lines = unique(rows.map(({ network }) => network)).map((network) => {
    const step = pick(network, 'training', 'fovea')
    const pytorch = ['pytorch', 'pytorch-channels-last'].flatMap(
      (contender) => pick(network, 'training', contender)?.ratio ?? [],
    )
    return [
      network,
      short(pick(network, 'inference', 'fovea', 1)?.ms),
      short(pick(network, 'inference', 'onnxruntime', 1)?.ratio),
      short(pick(network, 'inference', 'fovea', 8)?.imagesPerSecond),
      short(pick(network, 'inference', 'onnxruntime', 8)?.ratio),
      step ? `${short(step.imagesPerSecond)} (${step.batch})` : '',
      pytorch.length > 0 ? short(Math.min(...pytorch)) : '',
    ]
  })
  const titles = [
    'network',
    'ms, one image',
    'x ORT',
    'images/s, batch 8',
    'x ORT',
    'training, images/s',
    'x PyTorch',
  ]
  return markdown(titles, lines)
}

/** Every contender on every network. */
function comparison({ rows }: Results<NetworkRow>): string {
  const lines = rows.map((row) => [
    row.network,
    row.contender,
    row.batch,
    spread(row.msLow, row.ms, row.msHigh),
    short(row.imagesPerSecond),
    row.contender === 'fovea' ? '' : spread(row.ratioLow, row.ratio, row.ratioHigh),
    row.peakMiB,
    row.contender === 'fovea' ? '' : short(row.memoryRatio),
  ])
  const titles = [
    'network',
    'contender',
    'batch',
    'ms',
    'images/s',
    'time by fovea’s',
    'peak MiB',
    'by fovea’s',
  ]
  const groups = unique(rows.map(({ contender }) => contender)).filter((name) => name !== 'fovea')
  const means = groups.map((contender) => {
    const ratios = rows.filter((row) => row.contender === contender).map(({ ratio }) => ratio)
    return `${contender} ${short(geometricMean(ratios))}`
  })
  const sum = means.length > 0 ? `\n\nGeometric means of the ratios of times: ${means.join(', ')}.` : ''
  return `${markdown(titles, lines, 2)}${sum}`
}

/** One line an operation, over all its shapes. */
function kernelTable({ rows }: Results<KernelRow>): string {
  const mean = (some: readonly KernelRow[], value: (row: KernelRow) => number | null) => {
    const values = some.map(value).filter((one): one is number => one !== null && one > 0)
    return values.length > 0 ? geometricMean(values) : null
  }
  const lines = unique(rows.map(({ mode, op }) => `${mode} ${op}`)).map((key) => {
    const some = rows.filter(({ mode, op }) => `${mode} ${op}` === key)
    const [mode, op] = key.split(' ') as [string, string]
    const [gemm, ceiling] = [mean(some, (row) => row.ofGemm), mean(some, (row) => row.ofCeiling)]
    return [
      op,
      mode,
      some.length,
      gemm === null ? '' : percent(gemm),
      ceiling === null ? '' : percent(ceiling),
      short(mean(some, (row) => row.ratio)),
    ]
  })
  return markdown(
    ['operation', 'mode', 'shapes', 'of the GEMM rate', 'of its ceiling', 'library’s time by ours'],
    lines,
    2,
  )
}

/** Every convolution of ResNet-50 at inference. */
function convolutionTable({ rows }: Results<KernelRow>): string {
  const some = rows.filter(
    ({ network, mode, op }) => network === 'resnet50' && mode === 'inference' && op === 'convolution',
  )
  const lines = some.map((row) => [
    row.layer,
    row.kernel,
    row.count,
    short(row.us),
    short(row.gflops),
    percent(row.ofGemm),
    percent((row.ofGemm * row.us) / row.directUs),
    row.firstKernel === row.directKernel ? '' : row.firstKernel,
    row.firstKernel === row.directKernel ? '' : percent((row.ofGemm * row.us) / row.firstUs),
  ])
  const titles = [
    'layer',
    'kernel',
    'times',
    'µs',
    'GFLOP/s',
    'of the GEMM rate',
    'called directly',
    'library’s first choice',
    'called directly',
  ]
  const mean =
    some.length > 0
      ? `\n\nGeometric mean: ${percent(geometricMean(some.map(({ ofGemm }) => ofGemm)))} of the GEMM rate.`
      : ''
  return `${markdown(titles, lines, 2)}${mean}`
}

function overheadTable({ rows }: Results<OverheadRow>): string {
  const titles = [
    'network',
    'mode',
    'batch',
    'ms',
    'kernels',
    'ms in kernels',
    'outside',
    'calls into the addon',
  ]
  const lines = rows.map((row) => [
    row.network,
    row.mode,
    row.batch,
    short(row.ms),
    row.steps,
    short(row.kernelsMs),
    `${(100 * row.outside).toFixed(2)} %`,
    row.crossings,
  ])
  return markdown(titles, lines, 2)
}

function scaleTable({ rows }: Results<ScaleRow>): string {
  const titles = ['sweep', 'network', 'batch', 'image', 'threads', 'ms', 'images/s', 'GFLOP/s']
  const lines = rows.map((row) => [
    row.sweep,
    row.network,
    row.batch,
    row.size,
    row.threads,
    spread(row.msLow, row.ms, row.msHigh),
    short(row.imagesPerSecond),
    short(row.gflops),
  ])
  const plots = unique(rows.map(({ sweep }) => sweep)).map(
    (sweep) => `![${sweep}](performance/scale-${sweep}.svg)`,
  )
  return `${plots.join('\n')}\n\n${markdown(titles, lines, 2)}`
}

function busyTable({ rows }: Results<BusyRow>): string {
  const titles = ['network', 'mode', 'contender', 'batch', 'images/s idle', 'images/s busy', 'share']
  const lines = rows.map((row) => [
    row.network,
    row.mode,
    row.contender,
    row.batch,
    short(row.idleImagesPerSecond),
    short(row.busyImagesPerSecond),
    `${percent(row.share)} (${percent(row.shareLow)} to ${percent(row.shareHigh)})`,
  ])
  return markdown(titles, lines, 3)
}

/** One line a shape, and the geometric means. */
function int8Table({ rows }: Results<Int8Row>): string {
  const titles = ['layer', 'times', 'f32, µs', 'bf16, µs', 'int8, µs', 'f32 by int8', 'bf16 by int8']
  const lines = rows.map((row) => [
    row.layer,
    row.count,
    short(row.f32Us),
    short(row.bf16Us),
    short(row.int8Us),
    spread(row.f32ByInt8Low, row.f32ByInt8, row.f32ByInt8High),
    spread(row.bf16ByInt8Low, row.bf16ByInt8, row.bf16ByInt8High),
  ])
  const [f32, bf16] = (['f32ByInt8', 'bf16ByInt8'] as const).map((column) =>
    short(geometricMean(rows.map((row) => row[column]))),
  )
  return `${markdown(titles, lines)}\n\nGeometric means: f32 by int8 ${f32}, bf16 by int8 ${bf16}.`
}

function startupTable({ rows }: Results<StartupRow>): string {
  const titles = ['process', 'ms', 'beside', 'ms beyond it']
  const lines = rows.map((row) => [
    row.what,
    spread(row.msLow, row.ms, row.msHigh),
    row.beside,
    spread(row.beyondLow, row.beyond, row.beyondHigh),
  ])
  return markdown(titles, lines)
}

const MARKER = /(<!-- figures: ([\w-]+) -->\n)[^]*?(<!-- end of figures -->)/g

/**
 * A document with the tables between its markers made anew.
 *
 * @param path - of the document, for messages
 * @throws Error for a marker that names no table, or that has no end
 */
export function fillIn(text: string, figures: Figures, path: string): string {
  const begun = text.match(/<!-- figures: /g)?.length ?? 0
  const whole = text.match(MARKER)?.length ?? 0
  if (begun !== whole)
    throw new Error(`${path}: ${begun} tables of figures begin, ${whole} of them as they should and end`)
  return text.replace(MARKER, (_, start: string, name: string, end: string) => {
    const table = TABLES[name]
    if (!table) throw new Error(`${path}: no figures '${name}': there are ${Object.keys(TABLES).join(', ')}`)
    return `${start}\n${table(figures)}\n\n${end}`
  })
}
