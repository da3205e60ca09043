import { TORCHVISION_NETWORKS } from '../../test/support/reference.js'
import { MODES, type ComputeMode } from '../support/mode.js'
import type { Row } from '../support/row.js'
import type { Stage } from '../support/suite.js'
import { reduced } from '../support/target.js'

/** The host computes weights and sums up gradients, so several fit on one GPU. */
const WIDTH = reduced ? 1 : 6
/** What the errors of a mode may be, in units of PyTorch's in the same mode. */
const WORSE = 1.5
const FIGURES = ['normWorst', 'normMedian', 'probeWorst', 'probeMedian'] as const
/** What a rehearsal has time for. */
const SMALL = ['alexnet'] as const

/** The published networks' logits and gradients, in every mode; gradients of the lower ones beside PyTorch's. */
export async function networks(stage: Stage): Promise<void> {
  const names = reduced ? SMALL : TORCHVISION_NETWORKS
  const found: Row[] = []
  const ours = (mode: ComputeMode) =>
    names.map((name) => async () => {
      found.push(...(await stage.check('network', [name, mode], { seconds: 240 })))
    })
  const theirs = (mode: ComputeMode) => async () => {
    found.push(...(await stage.peer('gradients', [mode, ...names], { seconds: 240 })))
  }
  // The whole of strict float32 first.
  await stage.together(WIDTH, ours('f32'))
  const lower = MODES.filter((mode) => mode !== 'f32' && (!reduced || mode === 'bf16'))
  await stage.together(
    WIDTH,
    lower.flatMap((mode) => [theirs(mode), ...ours(mode)]),
  )
  for (const mode of lower) for (const name of names) compare(stage, found, name, mode)
}

function compare(stage: Stage, rows: readonly Row[], name: string, mode: ComputeMode): void {
  const of = (check: string) =>
    rows.find((row) => row.check === check && row.name === name && row.mode === mode)
  const [our, their] = [of('training step'), of('PyTorch step')]
  if (!our || our.status !== 'info') return
  const row = { check: 'beside PyTorch', name, mode }
  if (!their?.values) {
    stage.report({ ...row, status: 'skip', note: 'PyTorch computed nothing to compare with' })
    return
  }
  const ratios = FIGURES.map((figure) => Number(our.values![figure]) / Number(their.values![figure]))
  const values = Object.fromEntries(FIGURES.map((figure, i) => [figure, Number(ratios[i]!.toPrecision(3))]))
  const worst = Math.max(...ratios)
  stage.report({
    ...row,
    status: worst <= WORSE ? 'pass' : 'fail',
    values,
    note: worst <= WORSE ? '' : `${worst.toFixed(2)} times PyTorch's error, at most ${WORSE} times is right`,
  })
}
