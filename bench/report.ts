// Writes the tables of README.md and docs/performance.md from the figures in bench/results, between their markers.
//
//   node dist/bench/report.js [--check]
//
// --check: changes nothing, and ends with 1 if some table is not what the figures say.
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { format, resolveConfig } from 'prettier'
import { readResults, type Results, type Row } from './support/results.js'
import { fillIn, type Figures } from './support/tables.js'

const DOCUMENTS = ['README.md', 'docs/performance.md']

async function stored<R extends Row>(name: string): Promise<Results<R> | null> {
  const path = join('bench/results', `${name}.csv`)
  return existsSync(path) ? readResults<R>(path) : null
}

const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values
const figures: Figures = {
  inference: await stored('inference'),
  training: await stored('training'),
  kernels: await stored('kernels'),
  kernelsResnet50: await stored('kernels-resnet50'),
  overhead: await stored('overhead'),
  scale: await stored('scale'),
  busy: await stored('busy'),
  int8: await stored('int8'),
  startup: await stored('startup'),
}
for (const path of DOCUMENTS) {
  const before = await readFile(path, 'utf8')
  const after = await format(fillIn(before, figures, path), {
    ...(await resolveConfig(path)),
    filepath: path,
  })
  if (after === before) continue
  if (check) {
    console.error(
      `${path}: its figures are not those of bench/results; node dist/bench/report.js writes them`,
    )
    process.exitCode = 1
  } else {
    await writeFile(path, after)
    console.log(path)
  }
}
