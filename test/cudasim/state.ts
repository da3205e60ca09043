import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// The page that state.h describes.
const SLOTS = {
  failAllocation: 0,
  failCall: 1,
  lazy: 2,
  seed: 3,
  failTimes: 4,
  calls: 8,
  allocations: 9,
  injected: 10,
  refused: 11,
  launches: 12,
  graphLaunches: 13,
  deviceBytes: 16,
  deviceAllocations: 17,
  pinnedAllocations: 18,
  streams: 19,
  events: 20,
  graphs: 21,
  graphExecs: 22,
  modules: 23,
  programs: 24,
  cudnnHandles: 25,
  cudnnDescriptors: 26,
  cublasHandles: 27,
  primaryContexts: 28,
} as const

const FIRST_RESOURCE = SLOTS.deviceBytes
const SYMBOL_OFFSET = 64 * 8
const SYMBOL_BYTES = 64
const FAILED_OFFSET = SYMBOL_OFFSET + SYMBOL_BYTES
const RECORDS_OFFSET = FAILED_OFFSET + SYMBOL_BYTES
const NAME_BYTES = 80
const RECORD_BYTES = 8 + NAME_BYTES + 8
const RECORDS = 384
export const STATE_BYTES = RECORDS_OFFSET + RECORDS * RECORD_BYTES

export type Slot = keyof typeof SLOTS

/** What a test and a running simulator tell each other, through a file that the simulator maps. */
export class SimulatorState {
  private readonly file: number

  constructor(
    readonly path: string,
    private readonly folder?: string,
  ) {
    this.file = openSync(path, 'a+', 0o600)
    closeSync(this.file)
    this.file = openSync(path, 'r+')
    ftruncateSync(this.file, STATE_BYTES)
  }

  /** In a folder of its own; `CUDASIM_STATE` must name it before the libraries are loaded. */
  static create(): SimulatorState {
    const folder = mkdtempSync(join(tmpdir(), 'fovea-cudasim-state-'))
    return new SimulatorState(join(folder, 'state'), folder)
  }

  get(slot: Slot): number {
    const bytes = Buffer.alloc(8)
    readSync(this.file, bytes, 0, 8, SLOTS[slot] * 8)
    return Number(bytes.readBigInt64LE())
  }

  set(slot: Slot, value: number): void {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    writeSync(this.file, bytes, 0, 8, SLOTS[slot] * 8)
  }

  /** Lets the n-th call from now on fail, counted over all symbols or over one. 0: none. */
  failCall(n: number, symbol = ''): void {
    const bytes = Buffer.alloc(SYMBOL_BYTES)
    bytes.write(symbol)
    writeSync(this.file, bytes, 0, SYMBOL_BYTES, SYMBOL_OFFSET)
    writeSync(this.file, Buffer.alloc(SYMBOL_BYTES), 0, SYMBOL_BYTES, FAILED_OFFSET)
    this.set('failCall', n)
  }

  /** Lets the n-th device allocation from now on fail, and those after it, so many in all. 0: none. */
  failAllocation(n: number, times = 1): void {
    this.set('failTimes', times)
    this.set('failAllocation', n)
  }

  /** The call that failed since {@link failCall} asked for it; empty where none did. */
  failedCall(): string {
    const bytes = Buffer.alloc(SYMBOL_BYTES)
    readSync(this.file, bytes, 0, SYMBOL_BYTES, FAILED_OFFSET)
    return bytes.toString('latin1', 0, bytes.indexOf(0))
  }

  /** What is alive, but for what there is none of. */
  resources(): Partial<Record<Slot, number>> {
    return Object.fromEntries(
      (Object.keys(SLOTS) as Slot[])
        .filter((slot) => SLOTS[slot] >= FIRST_RESOURCE)
        .map((slot) => [slot, this.get(slot)] as const)
        .filter(([, count]) => count !== 0),
    )
  }

  /** How often each symbol was called. */
  calls(): ReadonlyMap<string, number> {
    const bytes = Buffer.alloc(RECORDS * RECORD_BYTES)
    readSync(this.file, bytes, 0, bytes.length, RECORDS_OFFSET)
    const calls = new Map<string, number>()
    for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
      const count = Number(bytes.readBigUInt64LE(at + 8 + NAME_BYTES))
      const name = bytes.toString('latin1', at + 8, at + 8 + NAME_BYTES)
      if (count > 0) calls.set(name.slice(0, name.indexOf('\0')), count)
    }
    return calls
  }

  close(): void {
    closeSync(this.file)
    if (this.folder) rmSync(this.folder, { recursive: true, force: true })
  }
}
