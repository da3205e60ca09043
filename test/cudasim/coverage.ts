import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const TABLES = fileURLToPath(new URL('../../native/cuda/symbols.h', import.meta.url))

/** All symbols that fovea takes from NVIDIA's libraries. */
export function knownSymbols(): readonly string[] {
  return [...readFileSync(TABLES, 'utf8').matchAll(/^\s+X\((\w+)\)/gm)].map(([, name]) => name!)
}

export interface Coverage {
  readonly covered: readonly string[]
  readonly missing: readonly string[]
}

export function coverageOf(calls: ReadonlyMap<string, number>): Coverage {
  const known = knownSymbols()
  return {
    covered: known.filter((name) => calls.has(name)),
    missing: known.filter((name) => !calls.has(name)),
  }
}
