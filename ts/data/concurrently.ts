import { availableParallelism } from 'node:os'

/**
 * Maps items with a few of them under way at a time, so that a long list neither opens nor holds every file at
 * once. After a failure no further item is begun.
 */
export async function concurrently<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  limit = 2 * availableParallelism(),
): Promise<R[]> {
  const results = new Array<R>(items.length)
  let next = 0
  const worker = async () => {
    try {
      while (next < items.length) {
        const i = next++
        results[i] = await work(items[i]!)
      }
    } catch (error) {
      next = items.length
      throw error
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}
