import { open, rm, stat, utimes } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from './cache.js'

const POLL_MS = 100
const HEARTBEAT_MS = 500
const STALE_MS = 3000

/**
 * Runs `work` while no other call, of this or another process, works under the same lock file.
 *
 * The holder touches the file all the time. One that stays untouched was left by a process that died, and is taken
 * over. This needs neither process numbers, which containers share, nor clocks that agree.
 */
export async function locked<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (let seen = NaN, since = 0; !(await create(path));) {
    const touched = (await stat(path).catch(() => undefined))?.mtimeMs
    if (touched !== seen) {
      seen = touched ?? NaN
      since = performance.now()
    } else if (performance.now() - since > STALE_MS) await rm(path, { force: true })
    await delay(POLL_MS, undefined, { signal })
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }, HEARTBEAT_MS).unref()
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    await rm(path, { force: true })
  }
}

async function create(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close()
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}
