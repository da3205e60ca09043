/** Median and quartiles of a sample. */
export interface Quartiles {
  readonly low: number
  readonly median: number
  readonly high: number
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)]!
  const above = sorted[Math.ceil(at)]!
  return below + (above - below) * (at - Math.floor(at))
}

export function quartiles(values: readonly number[]): Quartiles {
  return { low: quantile(values, 0.25), median: quantile(values, 0.5), high: quantile(values, 0.75) }
}

/** Milliseconds that one call takes. */
export async function milliseconds(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await body()
  return performance.now() - start
}

/**
 * Runs contenders in turn, a few times each a round, so that a drift of the machine meets all alike.
 *
 * @returns milliseconds a call, one number a contender and round
 */
export async function interleaved<Name extends string>(
  contenders: Readonly<Record<Name, () => Promise<unknown>>>,
  { rounds, calls }: { readonly rounds: number; readonly calls: number },
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contenders) as Name[]
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round <= rounds; round++)
    for (const name of round % 2 ? names : names.toReversed()) {
      const spent: number[] = []
      for (let call = 0; call < calls; call++) spent.push(await milliseconds(contenders[name]))
      // Round 0 warms up.
      if (round > 0) times[name].push(quantile(spent, 0.5))
    }
  return times
}
