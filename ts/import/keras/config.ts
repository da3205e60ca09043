import { CheckpointError, UnsupportedError } from '../../errors.js'
import { excerpt, isJson, type Json } from '../../io/json.js'
import type { Edges, Pair } from '../../graph/schema.js'

/** The settings of one layer, read with their types checked. Errors name the layer's class and name. */
export class Config {
  constructor(
    private readonly path: string,
    /** The layer as messages call it: `Conv2D "conv1"`. */
    readonly layer: string,
    private readonly settings: Json,
  ) {}

  has(key: string): boolean {
    return this.settings[key] !== undefined && this.settings[key] !== null
  }

  get(key: string): unknown {
    return this.settings[key]
  }

  /** A positive integer. */
  size(key: string, fallback?: number): number {
    const value = this.has(key) ? this.settings[key] : fallback
    if (!isSize(value)) throw this.wrong(key, 'a positive integer')
    return value
  }

  number(key: string, fallback: number): number {
    const value = this.has(key) ? this.settings[key] : fallback
    if (typeof value !== 'number') throw this.wrong(key, 'a number')
    return value
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.has(key) ? this.settings[key] : fallback
    if (typeof value !== 'boolean') throw this.wrong(key, 'true or false')
    return value
  }

  /** `[height, width]`, which may be spelt as one number. */
  pair(key: string, fallback?: Pair): Pair {
    const value = this.has(key) ? this.settings[key] : fallback
    if (isSize(value)) return [value, value]
    if (!Array.isArray(value) || value.length !== 2 || !value.every(isSize))
      throw this.wrong(key, 'a positive integer or two')
    return value as unknown as Pair
  }

  /** `[top, left, bottom, right]` of `n`, `[height, width]` or `[[top, bottom], [left, right]]`. */
  edges(key: string): Edges {
    const value = this.settings[key]
    const [rows, columns] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [value, value]
    const [top, bottom] = Array.isArray(rows) && rows.length === 2 ? (rows as unknown[]) : [rows, rows]
    const [left, right] =
      Array.isArray(columns) && columns.length === 2 ? (columns as unknown[]) : [columns, columns]
    const edges = [top, left, bottom, right]
    if (!edges.every((edge) => edge === 0 || isSize(edge)))
      throw this.wrong(key, 'edges that are not negative')
    return edges as unknown as Edges
  }

  /** One of the words that are implemented. */
  word<W extends string>(key: string, words: readonly W[], fallback: W): W {
    const value = this.has(key) ? this.settings[key] : fallback
    const word = words.find((candidate) => candidate === value)
    if (word === undefined) throw this.unsupported(`${key} ${excerpt(value)}`, words.join(' or '))
    return word
  }

  /** @throws UnsupportedError unless the setting is absent or one of the values */
  only(key: string, ...values: readonly unknown[]): void {
    const value = this.settings[key]
    if (value === undefined || value === null) return
    const text = JSON.stringify(value)
    if (!values.some((allowed) => JSON.stringify(allowed) === text))
      throw this.unsupported(
        `${key} ${excerpt(value)}`,
        values.map((allowed) => excerpt(allowed)).join(' or '),
      )
  }

  /** The settings of something nested, such as a model within a model. */
  object(key: string): Json {
    const value = this.settings[key]
    if (!isJson(value)) throw this.wrong(key, 'an object')
    return value
  }

  /** The error for something valid that is not implemented. */
  unsupported(what: string, supported?: string): UnsupportedError {
    const instead = supported === undefined ? '' : `; supported: ${supported}`
    return new UnsupportedError(
      `${this.path}: layer ${this.layer} has ${what}, which is not supported${instead}`,
      {
        subject: this.layer,
        ...(supported === undefined ? {} : { expected: supported }),
        got: what,
      },
    )
  }

  /** The error for a setting that cannot be right. */
  wrong(key: string, expected: string): CheckpointError {
    const got = excerpt(this.settings[key])
    return new CheckpointError(
      'CHECKPOINT_FORMAT',
      `${this.path}: layer ${this.layer}: ${key} must be ${expected}, got ${got}`,
      { subject: this.layer, expected, got },
    )
  }
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}
