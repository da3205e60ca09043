import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'

/** Where and when figures were measured, as names and values. */
export type Machine = Readonly<Record<string, string>>

/** Describes this machine; `more` says what else was there, such as the versions of contenders. */
export function machine(more: Machine = {}): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: String(availableParallelism()),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release().split('.', 2).join('.')}`,
    node: process.version,
    'load before': loadavg()[0]!.toFixed(2),
    ...more,
  }
}

function commit(): string {
  const git = (...args: readonly string[]) => spawnSync('git', args, { encoding: 'utf8' }).stdout.trim()
  const changed = git('status', '--porcelain', '--untracked-files=no') !== ''
  return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`
}
