import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolders, tensorsOf } from './helpers.js'
import { CHILD_OPTIONS, trainInChild } from './processes.js'

const folder = temporaryFolders()

/** Kills a training again and again, until it happens to finish. @returns how often it was killed */
export async function tormented(out: string, longest: number): Promise<number> {
  for (let kills = 0; ; kills++) {
    // Rising, so that it ends: the state that was saved is at most three steps old.
    const killAfter = Math.random() * longest * (1 + kills / 4)
    const { killed } = await trainInChild({ ...CHILD_OPTIONS, out, resume: true, slow: 10 }, { killAfter })
    if (!killed) return kills
  }
}

describe('a training that is killed', () => {
  test('at random moments ends as if it had not been', async () => {
    const [whole, killed] = [folder(), folder()]
    const undisturbed = await trainInChild({ ...CHILD_OPTIONS, out: whole })
    expect(undisturbed.lines.at(-1)).toEqual({ kind: 'report', reason: 'finished' })
    const kills = await tormented(killed, 700)
    console.log(`killed ${kills} times`)
    for (const file of ['best.safetensors', 'last.safetensors'])
      expect(readFileSync(join(killed, file)).equals(readFileSync(join(whole, file))), file).toBe(true)
    expect(await tensorsOf(join(killed, 'state.safetensors'))).toEqual(
      await tensorsOf(join(whole, 'state.safetensors')),
    )
  })
})

describe('a full disk', () => {
  test('is an error that the process survives, and what was saved stays', async () => {
    const out = folder()
    await trainInChild({ ...CHILD_OPTIONS, out, epochs: 1 })
    const files = () =>
      Object.fromEntries(
        readdirSync(out)
          .filter((name) => name.endsWith('.safetensors'))
          .map((name) => [name, readFileSync(join(out, name), 'hex')]),
      )
    const before = files()
    const { lines } = await trainInChild({ ...CHILD_OPTIONS, out, resume: true }, { limit: 12 })
    const last = lines.at(-1)!
    expect(last).toMatchObject({ kind: 'error', code: 'CHECKPOINT_FORMAT', value: 4 })
    expect('message' in last && last.message).toMatch(/safetensors: cannot be written: E(FBIG|NOSPC)/)
    expect(files()).toEqual(before)
    const { lines: more } = await trainInChild({ ...CHILD_OPTIONS, out, resume: true })
    expect(more.at(-1)).toEqual({ kind: 'report', reason: 'finished' })
  })
})
