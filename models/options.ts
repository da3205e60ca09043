import { InvalidArgumentError } from '../ts/errors.js'
import { excerpt, isJson, type Json } from '../ts/io/json.js'
import type { LocalResponseNormOptions } from '../ts/nn/index.js'

/** What an option may be. */
export interface Rule {
  readonly expected: string
  readonly holds: (value: unknown) => boolean
}

/** A rule for each option. */
export type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule }

export const count: Rule = {
  expected: 'a positive integer',
  holds: (value) => Number.isSafeInteger(value) && Number(value) > 0,
}
export const positive: Rule = {
  expected: 'a positive number',
  holds: (value) => Number.isFinite(value) && Number(value) > 0,
}
export const share: Rule = {
  expected: 'above 0 and at most 1',
  holds: (value) => positive.holds(value) && Number(value) <= 1,
}
/** Of dropout. */
export const probability: Rule = {
  expected: 'at least 0 and below 1',
  holds: (value) => Number.isFinite(value) && Number(value) >= 0 && Number(value) < 1,
}
export const flag = oneOf(true, false)

export function oneOf(...values: readonly unknown[]): Rule {
  return {
    expected: values.map((value) => JSON.stringify(value)).join(' or '),
    holds: (value) => values.includes(value),
  }
}

const odd: Rule = {
  expected: 'an odd number',
  holds: (value) => count.holds(value) && Number(value) % 2 === 1,
}
const real: Rule = { expected: 'a number', holds: Number.isFinite }

const NORM_RULES: Rules<LocalResponseNormOptions> = {
  size: odd,
  alpha: real,
  beta: real,
  k: real,
  divideAlpha: flag,
}

/** Of a local response normalisation. */
export const norm: Rule = {
  expected: `an object of ${Object.keys(NORM_RULES).join(', ')}`,
  holds: (value) =>
    isJson(value) &&
    Object.entries(value).every(([name, one]) => isRuled(name, NORM_RULES) && NORM_RULES[name].holds(one)),
}

/**
 * Checks the options of a network, of which JavaScript and weights files may give any.
 *
 * @returns those that are given, to be saved with the weights
 * @throws InvalidArgumentError for an option that the network has not, or a value that it cannot have
 */
export function checkOptions<Options extends object>(
  network: string,
  options: Options,
  rules: Rules<Options>,
): Json {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  for (const [name, value] of given as [string, unknown][]) {
    if (!isRuled(name, rules)) {
      const expected = Object.keys(rules).join(', ')
      const details = { subject: name, expected, got: name }
      throw new InvalidArgumentError(`${network} has no option '${name}'; there are ${expected}`, details)
    }
    const { expected, holds } = rules[name]
    if (!holds(value)) {
      const got = typeof value === 'number' ? String(value) : excerpt(value)
      const details = { subject: name, expected, got }
      throw new InvalidArgumentError(`${network}: ${name} must be ${expected}, got ${got}`, details)
    }
  }
  return Object.fromEntries(given)
}

function isRuled<R extends object>(name: PropertyKey, rules: R): name is keyof R {
  return Object.hasOwn(rules, name)
}
