import { median } from '../../ts/report/quartiles.js'

/** Milliseconds that one call takes. */
export async function milliseconds(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await body()
  return performance.now() - start
}

/** How many calls fill so many milliseconds, by default a tenth of a second: at least one. */
export function callsFor(millisecondsEach: number, fill = 100): number {
  return Math.max(1, Math.round(fill / millisecondsEach))
}

/** Milliseconds of a call, the median of some. */
export async function sample(body: () => Promise<unknown>, calls: number): Promise<number> {
  const times: number[] = []
  for (let call = 0; call < calls; call++) times.push(await milliseconds(body))
  return median(times)
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
