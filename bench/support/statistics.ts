import { median } from '../../ts/report/quartiles.js'

/** Milliseconds that one call takes. */
export async function milliseconds(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await body()
  return performance.now() - start
}

/** How many calls make a sample worth its noise: enough for about a tenth of a second, at least one. */
export function callsFor(millisecondsEach: number): number {
  return Math.max(1, Math.min(50, Math.round(100 / millisecondsEach)))
}

/** Medians of a few calls each. */
export async function sample(body: () => Promise<unknown>, calls: number): Promise<number> {
  const times: number[] = []
  for (let call = 0; call < calls; call++) times.push(await milliseconds(body))
  return median(times)
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
