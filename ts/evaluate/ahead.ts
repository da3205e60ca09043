/**
 * Prepares items before they are asked for: while the consumer is busy with one, `ahead` more are under way. They
 * come in their order.
 */
export async function* prepareAhead<T, R>(
  items: Iterable<T>,
  prepare: (item: T) => Promise<R>,
  ahead = 2,
): AsyncGenerator<R, void> {
  const queue: Promise<R>[] = []
  for (const item of items) {
    const prepared = prepare(item)
    // A consumer that stops early never awaits the rest; a failure there concerns nobody.
    prepared.catch(() => undefined)
    queue.push(prepared)
    if (queue.length > ahead) yield await queue.shift()!
  }
  for (const prepared of queue) yield await prepared
}

/** Consecutive parts of at most `size` items. */
export function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}
