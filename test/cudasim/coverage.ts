import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const TABLES = fileURLToPath(new URL('../../native/cuda/symbols.h', import.meta.url))

/** All symbols that fovea takes from NVIDIA's libraries, by library. */
export function symbolTables(): Readonly<Record<string, readonly string[]>> {
  const tables = readFileSync(TABLES, 'utf8').matchAll(/#define FOVEA_CUDA_(\w+)\(X\)((?:.*\\\n)*.*)/g)
  return Object.fromEntries(
    [...tables].map(([, library, names]) => [
      library!.toLowerCase(),
      [...names!.matchAll(/X\((\w+)\)/g)].map(([, name]) => name!),
    ]),
  )
}

/** All of them. */
export const knownSymbols = (): readonly string[] => Object.values(symbolTables()).flat()

export interface Coverage {
  readonly covered: readonly string[]
  readonly missing: readonly string[]
}

/** Which symbols were called. */
export function coverageOf(
  calls: ReadonlyMap<string, number>,
  known: readonly string[] = knownSymbols(),
): Coverage {
  return {
    covered: known.filter((name) => calls.has(name)),
    missing: known.filter((name) => !calls.has(name)),
  }
}
