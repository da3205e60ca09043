import { CommanderError } from 'commander'
import { FoveaError, type ErrorCode } from '../errors.js'
import { colours, printJson } from './output.js'

/** 0: all went well. 1: something could not be done. 2: wrong usage. 130: interrupted. */
export const EXIT = { failure: 1, usage: 2, interrupted: 130 } as const

/** What to do about an error whose message does not say it. */
const REMEDIES: { readonly [Code in ErrorCode]?: string } = {
  OUT_OF_MEMORY: 'A smaller --batch needs less',
  CHECKPOINT_MISMATCH: 'Name with --model the network that the file belongs to; "fovea list" shows all',
  CHECKPOINT_FORMAT:
    'Weights are files of PyTorch (.pth, .pt, .th), .safetensors or a TensorFlow.js model.json',
  CHECKPOINT_UNSAFE: 'Save the weights alone, with torch.save(model.state_dict(), file) or as safetensors',
  DIVERGED: 'A smaller --lr may hold',
  RESUME_MISMATCH: 'Give the options that the training was begun with, or another --out',
  CUDA_UNAVAILABLE: '"fovea doctor" says what to do; --device cpu works everywhere',
}

/** An error as a person reads it: one line, what is wrong and what to do. */
export function describe(error: unknown): string {
  if (error instanceof CommanderError) return oneLine(error.message.replace(/^error: /, ''))
  if (!(error instanceof FoveaError))
    return `unexpected error: ${oneLine(error instanceof Error ? error.message : String(error))} (FOVEA_DEBUG=1 shows where)`
  const message = oneLine(error.message)
  const remedy = remedyOf(error)
  return remedy === undefined ? message : `${message.replace(/\.$/, '')}. ${remedy}`
}

/** An error as a program reads it. */
export function toJson(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof CommanderError) return { code: 'USAGE', message: describe(error) }
  if (!(error instanceof FoveaError)) return { code: 'UNEXPECTED', message: describe(error) }
  const { code, message, subject, expected, got } = error
  const remedy = remedyOf(error)
  return {
    code,
    message,
    ...(remedy === undefined ? {} : { remedy }),
    ...(subject === undefined ? {} : { subject }),
    ...(expected === undefined ? {} : { expected }),
    ...(got === undefined ? {} : { got }),
  }
}

/** Writes an error to standard error. */
export function complain(error: unknown): void {
  const { red } = colours(process.stderr)
  process.stderr.write(`${red('fovea:')} ${describe(error)}\n`)
  if (process.env.FOVEA_DEBUG && error instanceof Error) process.stderr.write(`${trace(error)}\n`)
}

/** Ends a command: tells what went wrong and sets the exit code. */
export function fail(error: unknown, { json }: { readonly json: boolean }): void {
  process.exitCode = exitCode(error)
  if (json) printJson({ error: toJson(error) })
  else complain(error)
}

function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return EXIT.usage
  if (!(error instanceof FoveaError)) return EXIT.failure
  if (error.code === 'ABORTED') return EXIT.interrupted
  // All arguments come from the command line.
  return error.code === 'INVALID_ARGUMENT' ? EXIT.usage : EXIT.failure
}

/** No remedy against a file that is not there: the message says all. */
function remedyOf(error: FoveaError): string | undefined {
  const { cause } = error
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    ? undefined
    : REMEDIES[error.code]
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ')
}

function trace(error: Error): string {
  const text = error.stack ?? error.message
  return error.cause instanceof Error ? `${text}\ncaused by ${trace(error.cause)}` : text
}
