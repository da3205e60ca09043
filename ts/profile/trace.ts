import type { Costs } from './costs.js'

/** An event of the Trace Event Format, which Chrome's `about:tracing` and Perfetto show. Times are microseconds. */
export interface TraceEvent {
  readonly name: string
  readonly ph: 'X' | 'C' | 'M'
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  readonly cat?: string
  readonly args?: Readonly<Record<string, string | number>>
}

/** A run at the medians of its steps' times, as a file for a trace viewer. */
export interface Trace {
  readonly displayTimeUnit: 'ms'
  readonly traceEvents: readonly TraceEvent[]
}

/** One run as a trace: a slice a step, a slice a phase above them, and the memory in use. */
export function traceOf(title: string, { steps }: Costs): Trace {
  const place = { pid: 1, tid: 1 }
  const traceEvents: TraceEvent[] = [
    { ...place, name: 'process_name', ph: 'M', ts: 0, args: { name: title } },
  ]
  const phases = new Map<string, { start: number; end: number }>()
  let ts = 0
  for (const { phase, path, op, kernel, layout, seconds, flops, moved, live } of steps) {
    const dur = 1e6 * seconds
    const args = {
      op,
      kernel,
      layout: layout.join(' -> '),
      'GFLOP/s': seconds > 0 ? flops / seconds / 1e9 : 0,
      'GB/s': seconds > 0 ? moved / seconds / 1e9 : 0,
    }
    traceEvents.push({ ...place, name: path === '' ? op : `${op} ${path}`, ph: 'X', cat: op, ts, dur, args })
    traceEvents.push({ ...place, name: 'memory in use', ph: 'C', ts, args: { bytes: live } })
    phases.set(phase, { start: phases.get(phase)?.start ?? ts, end: ts + dur })
    ts += dur
  }
  for (const [name, { start, end }] of phases)
    traceEvents.push({ ...place, name, ph: 'X', cat: 'phase', ts: start, dur: end - start })
  return { displayTimeUnit: 'ms', traceEvents }
}
