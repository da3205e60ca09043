import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TrainerEvent } from '../../ts/train/events.js'
import type { TrainerOptions } from '../../ts/train/trainer.js'
import { RECIPE } from './helpers.js'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))

type ChildOptions = Partial<
  Pick<TrainerOptions, 'out' | 'resume' | 'saveEvery' | 'epochs' | 'freeze' | 'recipe'>
> & {
  /** Milliseconds that are waited after each step. */
  readonly slow?: number
}

/** What a child prints beside events. */
export type ChildLine =
  | TrainerEvent
  | { readonly kind: 'report'; readonly reason: string }
  | { readonly kind: 'error'; readonly code: string; readonly message: string; readonly value: number }

/** Trains in a process of its own, in 30 steps unless it is told otherwise. */
export const CHILD_OPTIONS: ChildOptions = {
  recipe: RECIPE,
  epochs: 3,
  saveEvery: 3,
  freeze: { patterns: ['features.0'], epochs: 1 },
}

/**
 * @param killAfter - milliseconds after the first event at which the process is killed; never, when left out
 * @param limit - largest file in blocks of 1024 bytes that it can write; more is an error as of a full disk
 */
export function trainInChild(
  options: ChildOptions,
  { killAfter, limit }: { readonly killAfter?: number; readonly limit?: number } = {},
): Promise<{ readonly lines: ChildLine[]; readonly killed: boolean }> {
  const args = [CHILD, JSON.stringify(options)]
  const child =
    limit === undefined
      ? spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('bash', ['-c', `ulimit -f ${limit}; exec "$@"`, 'bash', process.execPath, ...args], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
  let out = ''
  child.stdout.on('data', (data: Buffer) => {
    if (out === '' && killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter)
    out += String(data)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (_code, signal) => {
      const lines = out.split('\n').slice(0, -1)
      resolve({ lines: lines.map((line) => JSON.parse(line) as ChildLine), killed: signal === 'SIGKILL' })
    })
  })
}

/** Kills a training again and again, until it happens to finish. @returns how often it was killed */
export async function tormented(out: string, longest: number): Promise<number> {
  for (let kills = 0; ; kills++) {
    // Rising, so that it ends: the state that was saved is at most three steps old.
    const killAfter = Math.random() * longest * (1 + kills / 4)
    const { killed } = await trainInChild({ ...CHILD_OPTIONS, out, resume: true, slow: 10 }, { killAfter })
    if (!killed) return kills
  }
}
