import { Command, InvalidArgumentError as BadValue } from 'commander'
import { fail } from './failure.js'

/** What every command has. */
export interface Flags {
  readonly json?: boolean
}

/** A command with the flags that all have. Its errors are left to {@link action}. */
export function command(name: string, description: string): Command {
  return new Command(name).description(description).option('--json', 'print one JSON document')
}

/**
 * Makes a command's body end well: errors become one line, or JSON, and an exit code; the first Ctrl-C takes back
 * what runs, a second one kills.
 */
export function action<Args extends readonly unknown[], Options extends Flags>(
  body: (args: Args, options: Options, signal: AbortSignal) => Promise<void>,
): (...given: [...Args, Options, Command]) => Promise<void> {
  return async (...given) => {
    // Commander hands on the arguments, then the options and the command.
    const options = given.at(-2) as Options
    const interrupt = new AbortController()
    const onInterrupt = () => {
      interrupt.abort()
    }
    process.once('SIGINT', onInterrupt)
    try {
      await body(given.slice(0, -2) as unknown as Args, options, interrupt.signal)
    } catch (error) {
      fail(error, { json: options.json === true })
    } finally {
      process.off('SIGINT', onInterrupt)
    }
  }
}

/** Parses an option's value. @throws BadValue for anything but a positive integer */
export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new BadValue('It must be a positive integer.')
  return Number(text)
}

/** Parses an option's value. @throws BadValue for anything but a whole number, 0 included */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new BadValue('It must be a whole number.')
  return Number(text)
}

/** Parses an option's value. @throws BadValue for anything but a positive number */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new BadValue('It must be a positive number.')
  return value
}

/** Parses an option that may be given several times. */
export function collect(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text]
}
