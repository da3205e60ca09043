import { spawnSync } from 'node:child_process'
import { Contender } from './contender.js'

/** Rates that the machine reaches at most. */
export interface Ceilings {
  /** A second, in a product of two large matrices. */
  readonly flops: number
  /** A second, between memory and processor. */
  readonly bytes: number
}

/** One kernel's times. */
export interface DirectSample {
  /** Empty where the library has no such operation. */
  readonly kernel: string
  readonly seconds: readonly number[]
}

/** The library called from C++, without fovea: the program in bench/native, which is built when it is needed. */
export class Direct {
  private constructor(private readonly contender: Contender) {}

  static async start(threads: number): Promise<Direct> {
    for (const args of [
      ['-S', 'bench/native', '-B', 'build/bench'],
      ['--build', 'build/bench'],
    ]) {
      const { status, stderr, stdout } = spawnSync('cmake', args, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`cmake ${args.join(' ')} failed: ${stdout}${stderr}`)
    }
    // At the end of each loop the threads wait busily, which is what costs the library least.
    const env = { OMP_NUM_THREADS: String(threads) }
    return new Direct(await Contender.start('build/bench/direct', [], env))
  }

  /** The library's version. */
  get description(): string {
    return this.contender.description
  }

  ceilings(): Promise<Ceilings> {
    return this.contender.ask('ceilings')
  }

  /** Times a problem: with the kernel that its line names, and with the one that the library takes by itself. */
  measure(
    problem: string,
    { cold, runs }: { readonly cold: boolean; readonly runs: number },
  ): Promise<{ readonly same: DirectSample; readonly first: DirectSample }> {
    return this.contender.ask(`measure ${cold ? 'cold' : 'warm'} ${runs} ${problem}`)
  }

  /** Times all kernels that the library has for a problem, and gives the fastest one's times. */
  fastest(
    problem: string,
    { cold, runs }: { readonly cold: boolean; readonly runs: number },
  ): Promise<DirectSample> {
    return this.contender.ask(`fastest ${cold ? 'cold' : 'warm'} ${runs} ${problem}`)
  }

  stop(): Promise<void> {
    return this.contender.stop()
  }
}
