import { CheckpointError } from '../errors.js'
import { malformed } from './checkpoint-error.js'

/** The bytes end before the pickle does; with more bytes it may be whole. */
export class PickleTruncated extends CheckpointError {
  constructor(source: string, position: number, needed: number, present: number) {
    super(
      'CHECKPOINT_FORMAT',
      `${source}: the pickle is cut off: expected ${needed} bytes at ${position}, got ${present}`,
      { subject: source, expected: `${needed} bytes`, got: `${present} bytes` },
    )
    this.name = 'CheckpointError'
  }
}

const MAX_INTEGER_BYTES = 1024

/** Reads the arguments of pickle operations; nothing it does can reach outside the bytes. */
export class PickleReader {
  #position = 0

  constructor(
    private readonly bytes: Buffer,
    /** The file and its part, for messages. */
    private readonly source: string,
  ) {}

  get position(): number {
    return this.#position
  }

  /** @throws PickleTruncated unless there are that many more bytes. */
  need(length: number): void {
    if (this.#position + length > this.bytes.length)
      throw new PickleTruncated(this.source, this.#position, length, this.bytes.length - this.#position)
  }

  take(length: number): Buffer {
    this.need(length)
    const start = this.#position
    this.#position += length
    return this.bytes.subarray(start, this.#position)
  }

  copy(length: number): Uint8Array {
    return Uint8Array.from(this.take(length))
  }

  uint8(): number {
    return this.take(1)[0]!
  }

  uint32(): number {
    return this.take(4).readUInt32LE()
  }

  uint64(): number {
    return Number(this.take(8).readBigUInt64LE())
  }

  /** The text up to the end of the line. */
  line(): string {
    return this.#rawLine().toString()
  }

  /** Little-endian two's complement. */
  integer(length: number): number | bigint {
    if (length < 0 || length > MAX_INTEGER_BYTES)
      throw this.malformed('absurd integer', `at most ${MAX_INTEGER_BYTES} bytes`, String(length))
    const bytes = Buffer.from(this.take(length)).reverse()
    if (length === 0) return 0
    return narrow(BigInt.asIntN(length * 8, BigInt(`0x${bytes.toString('hex')}`)))
  }

  /** Decimal digits, or the `00` and `01` that once were False and True. */
  textInteger(text: string, orBoolean: boolean): number | bigint | boolean {
    if (orBoolean && (text === '00' || text === '01')) return text === '01'
    if (text.length > MAX_INTEGER_BYTES || !/^-?\d+$/.test(text))
      throw this.malformed('bad integer', 'decimal digits', JSON.stringify(text.slice(0, 40)))
    return narrow(BigInt(text))
  }

  textFloat(text: string): number {
    const value = Number(text.replace('inf', 'Infinity'))
    if (text === '' || (Number.isNaN(value) && text !== 'nan'))
      throw this.malformed('bad number', 'a decimal number', JSON.stringify(text.slice(0, 40)))
    return value
  }

  /** A Python string literal. */
  quoted(text: string): string {
    const inner = /^(["'])(.*)\1$/s.exec(text)?.[2]
    if (inner === undefined) throw this.malformed('bad string', 'quotes', JSON.stringify(text.slice(0, 40)))
    return inner.replace(/\\(?:x([0-9a-f]{2})|(.))/gis, (_, hex: string | undefined, other: string) =>
      hex ? String.fromCharCode(parseInt(hex, 16)) : (controls.get(other) ?? other),
    )
  }

  /** A line of Latin-1, with all other characters escaped. */
  escapedLine(): string {
    return this.#rawLine()
      .toString('latin1')
      .replace(/\\u([0-9a-f]{4})|\\U([0-9a-f]{8})/g, (all, short?: string, long?: string) => {
        const code = parseInt((short ?? long)!, 16)
        return code <= 0x10ffff ? String.fromCodePoint(code) : all
      })
  }

  /** The error of a pickle that makes no sense here. */
  malformed(problem: string, expected?: string, got?: string): CheckpointError {
    return malformed(this.source, `damaged pickle at ${this.#position}: ${problem}`, {
      ...(expected !== undefined && { expected }),
      ...(got !== undefined && { got }),
    })
  }

  #rawLine(): Buffer {
    const end = this.bytes.indexOf(0x0a, this.#position)
    if (end < 0) this.need(this.bytes.length - this.#position + 1)
    return this.take(end - this.#position + 1).subarray(0, -1)
  }
}

const controls = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

/** Whole numbers are plain numbers wherever these are exact. */
function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
