import { readdirSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import { expect, test } from 'vitest'
import { Device } from '../../ts/runtime/device.js'
import { tensor } from '../../ts/tensor.js'
import { tiny } from '../training/helpers.js'

// How long a turn each thread of this process asks for, in nanoseconds; nothing where the kernel does not tell.
function turns(): number[] {
  return readdirSync('/proc/self/task')
    .map((thread) => {
      try {
        return /^se\.slice\s*:\s*(\d+)$/m.exec(readFileSync(`/proc/self/task/${thread}/sched`, 'utf8'))?.[1]
      } catch {
        return undefined
      }
    })
    .filter((slice) => slice !== undefined)
    .map(Number)
}

/** Linux has taken the wish since 6.12. */
function takesWishes(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  return process.platform === 'linux' && (major > 6 || (major === 6 && minor >= 12)) && turns().length > 0
}

test('threads that compute ask for short turns, and no others do', async () => {
  if (!takesWishes()) {
    console.log(`skipped: ${process.platform} ${release()} does not tell the turns of threads`)
    return
  }
  const before = turns().filter((slice) => slice === 100_000).length
  using device = await Device.open('cpu', { threads: 3 })
  const model = tiny()
  using program = await model.compile(device, { batch: 2 })
  await program.predict(tensor(new Float32Array(2 * 64), [2, 1, 8, 8]))
  const short = turns().filter((slice) => slice === 100_000).length - before
  // The device's own thread and two of the team's; the event loop's and Node's are as they were.
  expect(short).toBe(3)
})
