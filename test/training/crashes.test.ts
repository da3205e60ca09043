import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolders, tensorsOf } from './helpers.js'
import { CHILD_OPTIONS, tormented, trainInChild } from './processes.js'

const folder = temporaryFolders()

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
    expect(last).toMatchObject({ kind: 'error', code: 'WRITE', value: 4 })
    expect('message' in last && last.message).toMatch(/safetensors: cannot be written: E(FBIG|NOSPC)/)
    expect(files()).toEqual(before)
    const { lines: more } = await trainInChild({ ...CHILD_OPTIONS, out, resume: true })
    expect(more.at(-1)).toEqual({ kind: 'report', reason: 'finished' })
  })
})
