import { InvalidArgumentError } from '../errors.js'
import type { Parameter } from '../nn/module.js'

/** Parameters by name (`fc.weight`), by the path of a layer that they belong to (`layer1`), or by expression. */
export type Pattern = string | RegExp

export function matches(pattern: Pattern, name: string): boolean {
  if (typeof pattern !== 'string') return pattern.test(name)
  return name === pattern || name.startsWith(`${pattern}.`)
}

/**
 * The names that any of the patterns means.
 * @throws InvalidArgumentError for a pattern that means none: it is misspelt
 */
export function frozenNames(parameters: readonly Parameter[], patterns: readonly Pattern[]): Set<string> {
  const names = parameters.filter(({ trainable }) => trainable).map(({ name }) => name)
  const found = new Set<string>()
  for (const pattern of patterns) {
    const meant = names.filter((name) => matches(pattern, name))
    if (meant.length === 0)
      throw new InvalidArgumentError(`no parameter is called or matched by '${pattern}'`, {
        subject: String(pattern),
      })
    for (const name of meant) found.add(name)
  }
  return found
}
