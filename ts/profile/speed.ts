import { quartiles, type Quartiles } from '../report/quartiles.js'

/** How long a call takes. */
export interface Speed {
  readonly calls: number
  readonly milliseconds: Quartiles
}

/** Fewer say nothing of quartiles. */
const FEWEST = 5

/**
 * Calls a function again and again, and takes the time of every call but two at first.
 *
 * @param seconds - how long, at least; the last call is waited for
 * @throws what the function throws
 */
export async function speedOf(
  call: () => Promise<unknown>,
  { seconds }: { readonly seconds: number },
): Promise<Speed> {
  await call()
  await call()
  const times: number[] = []
  const end = performance.now() + 1000 * seconds
  while (times.length < FEWEST || performance.now() < end) {
    const start = performance.now()
    await call()
    times.push(performance.now() - start)
  }
  return { calls: times.length, milliseconds: quartiles(times) }
}
