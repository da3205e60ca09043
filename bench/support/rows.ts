import type { Row } from './results.js'

/** A contender's figures on one network. */
export interface NetworkRow extends Row {
  readonly network: string
  readonly mode: string
  readonly batch: number
  readonly threads: number
  readonly contender: string
  readonly version: string
  readonly ms: number
  readonly msLow: number
  readonly msHigh: number
  readonly imagesPerSecond: number
  readonly peakMiB: number
  /** Its time by fovea's. */
  readonly ratio: number
  readonly ratioLow: number
  readonly ratioHigh: number
  /** Its peak memory by fovea's. */
  readonly memoryRatio: number
  /** Relative distance of its first results from fovea's; null where it has other weights. */
  readonly difference: number | null
}

/** One kernel on one problem. Shares are of the machine's ceilings in the same run. */
export interface KernelRow extends Row {
  readonly op: string
  /** Where it was met first, and how often there. */
  readonly network: string
  readonly mode: string
  readonly batch: number
  readonly layer: string
  readonly count: number
  readonly problem: string
  readonly kernel: string
  readonly layout: string
  readonly flops: number
  readonly bytes: number
  readonly us: number
  readonly usLow: number
  readonly usHigh: number
  readonly gflops: number
  readonly gbs: number
  readonly ofGemm: number
  readonly ofTriad: number
  /** Of whichever ceiling is the lower for it: the least time that the machine could take, by the time taken. */
  readonly ofCeiling: number
  readonly ofCeilingLow: number
  readonly ofCeilingHigh: number
  /** The library called directly: the same kernel where it has it, and the ratio of its time to fovea's. */
  readonly directKernel: string
  readonly directUs: number
  readonly ratioLow: number
  readonly ratio: number
  readonly ratioHigh: number
  /** What the library takes by itself. */
  readonly firstKernel: string
  readonly firstUs: number
}

/** What a step of a network costs beside its kernels. */
export interface OverheadRow extends Row {
  readonly network: string
  readonly mode: string
  readonly batch: number
  readonly threads: number
  /** Kernels that it runs. */
  readonly steps: number
  /** From the call until its promise resolves. */
  readonly ms: number
  /** Of that, on the device's thread. */
  readonly deviceMs: number
  readonly kernelsMs: number
  /** Share of the time that is spent outside kernels. */
  readonly outsideLow: number
  readonly outside: number
  readonly outsideHigh: number
  /** Calls from JavaScript into the addon. */
  readonly crossings: number
}

/** One point of a sweep. */
export interface ScaleRow extends Row {
  readonly sweep: string
  readonly mode: string
  readonly network: string
  readonly batch: number
  readonly size: number
  readonly threads: number
  readonly gflop: number
  readonly ms: number
  readonly msLow: number
  readonly msHigh: number
  readonly imagesPerSecond: number
  readonly gflops: number
}

/** Throughput beside a process that keeps every core busy. */
export interface BusyRow extends Row {
  readonly network: string
  readonly mode: string
  readonly batch: number
  readonly threads: number
  readonly contender: string
  readonly version: string
  readonly idleImagesPerSecond: number
  readonly busyImagesPerSecond: number
  readonly shareLow: number
  readonly share: number
  readonly shareHigh: number
}

/** One convolution by the library alone, on three element types. */
export interface Int8Row extends Row {
  readonly network: string
  readonly layer: string
  readonly batch: number
  readonly count: number
  readonly flops: number
  readonly problem: string
  readonly f32Kernel: string
  readonly f32Us: number
  readonly bf16Kernel: string
  readonly bf16Us: number
  readonly int8Kernel: string
  readonly int8Us: number
  /** Above 1 where eight bits are faster. */
  readonly f32ByInt8Low: number
  readonly f32ByInt8: number
  readonly f32ByInt8High: number
  readonly bf16ByInt8Low: number
  readonly bf16ByInt8: number
  readonly bf16ByInt8High: number
}

/** What starting costs: one thing that a process does, and the least that it could be compared with. */
export interface StartupRow extends Row {
  readonly what: string
  readonly msLow: number
  readonly ms: number
  readonly msHigh: number
  /** What is paired with it, of which its time is what lies beyond. */
  readonly beside: string
  readonly beyondLow: number
  readonly beyond: number
  readonly beyondHigh: number
}
