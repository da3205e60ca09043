import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { milliseconds } from './statistics.js'

/**
 * Speaks a contender's part: says that it is ready, then answers each line `go N` with the times of N steps and the
 * peak of the memory that this process has had.
 *
 * @param output - the first results of an inference, by which contenders are held against each other
 */
export async function serve(
  description: string,
  step: () => Promise<unknown>,
  output: readonly number[] | null = null,
): Promise<void> {
  console.log(JSON.stringify({ ready: description, output }))
  for await (const line of createInterface({ input: process.stdin })) {
    const times: number[] = []
    for (let i = 0; i < Number(line.split(' ')[1]); i++) times.push(await milliseconds(step))
    console.log(JSON.stringify({ milliseconds: times, peakMiB: peakMiB() }))
  }
}

/**
 * The most memory that this process has had resident. The usual `maxRSS` begins with what the process had resident
 * that started this one.
 */
function peakMiB(): number {
  const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  if (kibibytes === undefined) throw new Error('/proc/self/status has no VmHWM here: peak memory needs Linux')
  return Number(kibibytes) / 1024
}

/** As many of the results as are compared. */
export function head(data: Float32Array): number[] {
  return [...data.subarray(0, 100)]
}
