import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolders, tensorsOf } from '../training/helpers.js'
import { CHILD_OPTIONS, tormented, trainInChild } from '../training/processes.js'

const folder = temporaryFolders()

test('ten trainings that are killed at random moments all end as one that was not', async () => {
  const whole = folder()
  await trainInChild({ ...CHILD_OPTIONS, out: whole })
  const state = await tensorsOf(join(whole, 'state.safetensors'))
  let kills = 0
  for (let i = 0; i < 10; i++) {
    const out = folder()
    kills += await tormented(out, 400)
    for (const file of ['best.safetensors', 'last.safetensors'])
      expect(readFileSync(join(out, file)).equals(readFileSync(join(whole, file))), file).toBe(true)
    expect(await tensorsOf(join(out, 'state.safetensors'))).toEqual(state)
  }
  console.log(`killed ${kills} times`)
  expect(kills).toBeGreaterThan(0)
})
