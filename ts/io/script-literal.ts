import { malformed } from './checkpoint-error.js'

/** What stands before the value that a script of CommonJS, UMD or ES form gives away. */
const EXPORT = /(?:\bexports\s*=|\bexport\s+default)\s*(?=[{["'])/

/** Nested deeper than any model; a limit, so that a hostile file cannot overflow the stack. */
const MAX_DEPTH = 200

/**
 * The plain data (objects, arrays, texts, numbers) that a script exports. The script is never executed: the literal
 * is parsed where it stands in the text.
 *
 * @throws CheckpointError when there is no such literal
 */
export function exportedLiteral(path: string, script: string): unknown {
  const match = EXPORT.exec(script)
  if (!match)
    throw malformed(path, 'the script exports no literal', {
      expected: 'an object, an array or a text behind "exports =" or "export default"',
      got: JSON.stringify(script.slice(0, 40)),
    })
  return new LiteralParser(path, script, match.index + match[0].length).value(0)
}

const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y
const WORD = /[A-Za-z_$][\w$]*|!0|!1/y
const SPACE = /\s*/y

const WORDS = new Map<string, unknown>([
  ['true', true],
  ['!0', true],
  ['false', false],
  ['!1', false],
  ['null', null],
])

const ESCAPES = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
  ['0', '\0'],
])

/** A literal of JavaScript as minifiers write it: keys without quotes, `!0`, `.5`. */
class LiteralParser {
  constructor(
    private readonly path: string,
    private readonly text: string,
    private at: number,
  ) {}

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw this.error(`less than ${MAX_DEPTH} levels of nesting`)
    const next = this.peek()
    if (next === '{') return this.object(depth)
    if (next === '[') return this.list('[', ']', () => this.value(depth + 1))
    if (next === '"' || next === "'") return this.string(next)
    const number = this.match(NUMBER)
    if (number !== null) return Number(number)
    const start = this.at
    const word = this.match(WORD)
    if (word !== null && WORDS.has(word)) return WORDS.get(word)
    this.at = start
    throw this.error('a literal')
  }

  private object(depth: number): unknown {
    // Entries become own properties, also one that is called `__proto__`.
    return Object.fromEntries(
      this.list('{', '}', () => {
        const key = this.key()
        this.expect(':')
        return [key, this.value(depth + 1)] as const
      }),
    )
  }

  private key(): string {
    const next = this.peek()
    if (next === '"' || next === "'") return this.string(next)
    const key = this.match(NUMBER) ?? this.match(WORD)
    if (key === null) throw this.error('a key')
    return key
  }

  private list<T>(open: string, close: string, item: () => T): T[] {
    const items: T[] = []
    this.expect(open)
    while (this.peek() !== close) {
      items.push(item())
      if (this.peek() !== close) this.expect(',')
    }
    this.expect(close)
    return items
  }

  private string(quote: string): string {
    this.expect(quote)
    const end = this.text.indexOf(quote, this.at)
    if (end < 0) throw this.error(`a text that ends with ${quote}`)
    const whole = this.text.slice(this.at, end)
    if (!whole.includes('\\')) {
      this.at = end + 1
      return whole
    }
    let result = ''
    for (let char = this.take(); char !== quote; char = this.take())
      result += char === '\\' ? this.escaped() : char
    return result
  }

  private escaped(): string {
    const char = this.take()
    const digits = char === 'u' ? 4 : char === 'x' ? 2 : 0
    if (digits === 0) return ESCAPES.get(char) ?? char
    const code = this.text.slice(this.at, this.at + digits)
    if (code.length < digits || !/^[\da-fA-F]+$/.test(code)) throw this.error(`${digits} hexadecimal digits`)
    this.at += digits
    return String.fromCharCode(parseInt(code, 16))
  }

  private take(): string {
    if (this.at >= this.text.length) throw this.error('more text')
    return this.text[this.at++]!
  }

  /** The next character that is no space. */
  private peek(): string {
    this.match(SPACE)
    return this.text[this.at] ?? ''
  }

  private expect(char: string): void {
    if (this.peek() !== char) throw this.error(`"${char}"`)
    this.at++
  }

  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0] ?? null
    if (found !== null) this.at += found.length
    return found
  }

  private error(expected: string): Error {
    const rest = this.text.slice(this.at, this.at + 20)
    return malformed(this.path, `the script is damaged at character ${this.at}`, {
      expected,
      got: rest === '' ? 'its end' : JSON.stringify(rest),
    })
  }
}
