import { InvalidArgumentError } from '../ts/errors.js'

/**
 * Checks sizes that an architecture is built from.
 * @throws InvalidArgumentError unless every value is a positive integer
 */
export function checkSizes(sizes: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(sizes))
    if (!Number.isInteger(value) || value < 1)
      throw new InvalidArgumentError(`${name} must be a positive integer, got ${value}`, {
        subject: name,
        expected: 'a positive integer',
        got: String(value),
      })
}
