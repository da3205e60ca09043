import { CheckpointError } from '../errors.js'

/** What a file should have held, what it held, and the error below, if any. */
export interface Mismatch {
  readonly expected?: string
  readonly got?: string
  readonly cause?: unknown
}

/** The error of a damaged or unreadable file; `source` is its path, perhaps with the part of it that is read. */
export function malformed(source: string, problem: string, mismatch: Mismatch = {}): CheckpointError {
  const expected = mismatch.expected === undefined ? '' : `: expected ${mismatch.expected}`
  const got = mismatch.got === undefined ? '' : `${expected ? ',' : ':'} got ${mismatch.got}`
  return new CheckpointError('CHECKPOINT_FORMAT', `${source}: ${problem}${expected}${got}`, {
    subject: source,
    ...mismatch,
  })
}

/** The message of a caught value, whatever was thrown. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
