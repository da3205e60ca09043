// The GPU suite: runs a stage, or all, each check in a process of its own, and prints one short table last.
//
//   gpu/run.sh [smoke | ops | networks | sanitizer | training | bench | bench-rest | 1 | 2 | 3 | 4]...
import { resolve } from 'node:path'
import { bench, benchRest } from './stages/bench.js'
import { networks } from './stages/networks.js'
import { ops, sanitizer } from './stages/ops.js'
import { smoke } from './stages/smoke.js'
import { training } from './stages/training.js'
import { Results } from './support/results.js'
import { Stage } from './support/suite.js'
import { summary } from './support/table.js'
import { rehearsal } from './support/target.js'

const STAGES = { smoke, ops, networks, sanitizer, training, bench, 'bench-rest': benchRest } as const
type StageName = keyof typeof STAGES

/** What fits into one command of a lent machine. */
const NUMBERED: Readonly<Record<string, readonly StageName[]>> = {
  1: ['smoke'],
  2: ['ops', 'networks', 'sanitizer'],
  3: ['training'],
  4: ['bench'],
}

/** Seconds that one command may take, all its stages together. */
const BUDGET = Number(process.env.FOVEA_GPU_SECONDS ?? 510)

const asked = process.argv.slice(2)
const groups = (asked.length > 0 ? asked : Object.keys(NUMBERED)).map(stagesOf)
const results = new Results(resolve(process.env.OUT ?? 'out'))

for (const group of groups) {
  const deadline = performance.now() + BUDGET * 1000
  for (const name of group) {
    // What a stage does not use is the next one's.
    const stage = new Stage(name, results, deadline)
    try {
      await STAGES[name](stage)
    } catch (error) {
      stage.report({
        check: 'stage',
        name,
        status: 'fail',
        note: error instanceof Error ? (error.stack ?? '') : String(error),
      })
    }
  }
}

const [failed, skipped] = (['fail', 'skip'] as const).map(
  (status) => results.rows.filter((row) => row.status === status).length,
)
const what = rehearsal ? `REHEARSAL (${rehearsal}): no speed here means anything` : 'GPU suite'
const title = `${what}: ${groups.flat().join(', ')}: ${failed === 0 ? 'nothing failed' : `${failed} FAILED`}, ${skipped} skipped`
const table = summary(results.rows, title)
results.write('table.txt', `${table.trimStart()}\n`)
console.log(table)
process.exitCode = failed === 0 ? 0 : 1

function stagesOf(text: string): readonly StageName[] {
  if (Object.hasOwn(STAGES, text)) return [text as StageName]
  const group = NUMBERED[text]
  if (group) return group
  console.error(`no stage '${text}'; there are ${Object.keys(STAGES).join(', ')}, and 1 to 4`)
  process.exit(2)
}
