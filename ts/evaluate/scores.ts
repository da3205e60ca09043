import { BackendError } from '../errors.js'

/**
 * Softmax in double precision.
 *
 * @param name - the network, for the message
 * @throws BackendError when a logit is not finite, which no sound weights give
 */
export function softmax(logits: Float32Array, name: string): Float64Array {
  const bad = logits.findIndex((logit) => !Number.isFinite(logit))
  if (bad >= 0)
    throw new BackendError(
      `${name} gives ${logits[bad]!} for class ${bad}: its weights, or the pixels it sees, are not finite`,
      { subject: name, expected: 'finite numbers', got: String(logits[bad]) },
    )
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity)
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - largest))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

/** Mean of equally long vectors. */
export function mean(vectors: readonly Float64Array[]): Float64Array {
  const [first] = vectors
  if (vectors.length === 1) return first!
  return first!.map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length)
}

/** How many classes come before this one; among equals the first counts as the best. */
export function rank(scores: Float64Array, label: number): number {
  const own = scores[label]!
  let before = 0
  for (let i = 0; i < scores.length; i++) if (scores[i]! > own || (scores[i] === own && i < label)) before++
  return before
}

/** Indices of the `count` largest, the largest first. */
export function largest(scores: Float64Array, count: number): number[] {
  return Array.from(scores.keys())
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, count)
}
