import { createModel, type ModelName } from '../../models/index.js'
import type { ComputeMode } from '../support/mode.js'
import { Peer, type Answer, type Job } from '../support/peer.js'
import type { Row } from '../support/row.js'
import type { Stage } from '../support/suite.js'
import { reduced } from '../support/target.js'

interface Case {
  readonly network: ModelName
  readonly task: 'inference' | 'training'
  readonly batch: number
  readonly mode: ComputeMode
}

const COLUMNS = [
  'network',
  'task',
  'batch',
  'mode',
  'ms',
  'imagesPerSecond',
  'latencyMs',
  'endToEndMs',
  'peakMiB',
  'compileSeconds',
  'peer',
  'peerMs',
  'peerImagesPerSecond',
  'ratio',
  'latencyRatio',
  'endToEndRatio',
  'peerPeakMiB',
  'eagerMs',
  'graphMs',
  'compileMs',
  'problems',
] as const

/** Seconds that PyTorch measures each of its figures. */
const PEER_SPAN = reduced ? 0.1 : 1
const OURS_LIMIT = 90
const PEER_LIMIT = 60
/** torch.compile takes its time. */
const COMPILE_LIMIT = 100

/** Cases with what PyTorch is asked to do for each. */
interface Part {
  readonly cases: readonly Case[]
  readonly kinds: readonly Job['kind'][]
}

const CORE = ['resnet50', 'vgg16', 'densenet121'] as const
const OTHERS = ['googlenet', 'inception_v3', 'alexnet'] as const

/** How fast the core set is, each beside PyTorch on the same GPU in the same minute; then torch.compile. It goes on from case `FOVEA_GPU_FROM`. */
export async function bench(stage: Stage): Promise<void> {
  await stage.peer('ceilings', [], { seconds: 90 })
  const core = casesOf(CORE, ['bf16', 'f32'], [1, 256], [64])
  const parts: readonly Part[] = reduced
    ? [
        { cases: casesOf(['resnet20'], ['f32', 'bf16'], [1], [2]), kinds: ['eager', 'graph'] },
        { cases: casesOf(['resnet20'], ['TF32', 'f16'], [], [2]), kinds: ['eager'] },
        { cases: casesOf(['resnet18'], ['f32'], [1], []), kinds: ['eager'] },
      ]
    : [
        { cases: core, kinds: ['eager', 'graph'] },
        { cases: casesOf(CORE, ['TF32', 'f16'], [], [64]), kinds: ['eager', 'graph'] },
        { cases: core.filter(({ mode, batch }) => mode === 'bf16' && batch > 1), kinds: ['compile'] },
      ]
  await run(stage, parts)
  await stage.check('kernels', [], { seconds: 90, counts: false })
}

/** All other networks, batches and modes. It goes on from case `FOVEA_GPU_FROM`. */
export async function benchRest(stage: Stage): Promise<void> {
  const measured = [
    ...casesOf(CORE, ['bf16', 'f32'], [1, 256], [64]),
    ...casesOf(CORE, ['TF32', 'f16'], [], [64]),
  ]
  const done = new Set(measured.map((one) => JSON.stringify(one)))
  const cases = [
    ...casesOf(CORE, ['TF32', 'f16'], [1, 256], [64]),
    ...casesOf(OTHERS, ['bf16', 'f32'], [1, 256], [64]),
    ...casesOf([...CORE, ...OTHERS], ['bf16', 'f32', 'TF32', 'f16'], [1, 32, 256], [64, 256]),
  ].filter((one) => {
    const key = JSON.stringify(one)
    return !done.has(key) && done.add(key)
  })
  const all = reduced ? casesOf(['alexnet'], ['TF32'], [1], []) : cases
  await run(stage, [{ cases: all, kinds: ['eager', 'graph'] }])
}

async function run(stage: Stage, parts: readonly Part[]): Promise<void> {
  const from = Number(process.env.FOVEA_GPU_FROM ?? 0)
  const peer = new Peer((text) => {
    stage.log(text)
  })
  const cases = parts.flatMap(({ cases, kinds }) => cases.map((one) => ({ one, kinds })))
  try {
    for (const [index, { one, kinds }] of cases.entries()) {
      if (index < from) continue
      if (stage.left < 20) {
        const note = `no time is left for ${cases.length - index} of them: FOVEA_GPU_FROM=${index} goes on here`
        stage.report({ check: 'benchmark', name: 'others', status: 'skip', note })
        return
      }
      await measure(stage, peer, one, kinds)
    }
    stage.report({ check: 'versions', name: 'PyTorch', status: 'info', note: peer.description })
  } finally {
    peer.end()
  }
}

function casesOf(
  networks: readonly ModelName[],
  modes: readonly ComputeMode[],
  inference: readonly number[],
  training: readonly number[],
): Case[] {
  return modes.flatMap((mode) =>
    networks.flatMap((network) => [
      ...inference.map((batch) => ({ network, task: 'inference' as const, batch, mode })),
      ...training.map((batch) => ({ network, task: 'training' as const, batch, mode })),
    ]),
  )
}

async function measure(stage: Stage, peer: Peer, one: Case, kinds: readonly Job['kind'][]): Promise<void> {
  const { network, task, batch, mode } = one
  const row = { check: 'benchmark', name: network, mode }
  const rows = await stage.check('benchmark', [network, task, String(batch), mode], { seconds: OURS_LIMIT })
  const ours = rows.find(({ check }) => check === 'measured')
  const { size: own, fixed } = createModel(network).info.input
  const size = reduced && !fixed ? 64 : own
  const answers: Partial<Record<Job['kind'], Answer>> = {}
  for (const kind of kinds) {
    const limit = Math.min(kind === 'compile' ? COMPILE_LIMIT : PEER_LIMIT, stage.left)
    if (limit < 5) break
    answers[kind] = await peer.ask({ ...one, kind, size, seconds: PEER_SPAN }, limit)
  }
  conclude(stage, one, row, ours, answers)
}

function conclude(
  stage: Stage,
  { task, batch, network, mode }: Case,
  row: Pick<Row, 'check' | 'name' | 'mode'>,
  ours: Row | undefined,
  answers: Partial<Record<Job['kind'], Answer>>,
): void {
  const measured = Object.entries(answers).filter(([, { ms }]) => ms !== undefined)
  const best = measured.toSorted(([, a], [, b]) => a.ms! - b.ms!)[0]
  const least = (figure: 'latencyMs' | 'endToEndMs') =>
    Math.min(...measured.map(([, answer]) => answer[figure] ?? Number.POSITIVE_INFINITY))
  const own = (ours?.status === 'info' ? ours.values : undefined) ?? {}
  const ratio = (their: number, our: unknown) =>
    typeof our === 'number' && Number.isFinite(their) ? Number((their / our).toPrecision(4)) : null
  const problems = Object.entries(answers)
    .filter(([, { error }]) => error !== undefined)
    .map(([kind, { error }]) => `${kind}: ${error}`)
  const values = {
    ...own,
    task,
    batch,
    peer: best ? best[0] : null,
    peerMs: best ? Number(best[1].ms!.toPrecision(5)) : null,
    peerImagesPerSecond: best ? Number(((1000 * batch) / best[1].ms!).toPrecision(5)) : null,
    ratio: best ? ratio(best[1].ms!, own.ms) : null,
    latencyRatio: ratio(least('latencyMs'), own.latencyMs),
    endToEndRatio: ratio(least('endToEndMs'), own.endToEndLatencyMs),
    peerPeakMiB: best?.[1].peakMiB ?? null,
    eagerMs: answers.eager?.ms ?? null,
    graphMs: answers.graph?.ms ?? null,
    compileMs: answers.compile?.ms ?? null,
  }
  const note = [...problems, ...(ours?.note ? [ours.note] : [])].join('; ')
  // That it fails is what the measuring program's own row says.
  stage.report({ ...row, status: ours?.status === 'info' ? 'pass' : 'skip', values, note })
  stage.table('benchmarks.csv', COLUMNS, { network, mode, ...values, problems: note })
}
