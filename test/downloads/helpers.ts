import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach } from 'vitest'

/** A folder that is removed after the tests of the file. */
export function temporaryFolder(): () => string {
  const root = mkdtempSync(join(tmpdir(), 'fovea-downloads-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  return () => mkdtempSync(join(root, 'cache-'))
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface LocalServer {
  readonly url: string
  readonly requests: IncomingMessage[]
}

/** A web server on this machine, closed after the test. */
export async function serve(handler: Handler): Promise<LocalServer> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes that no compression and no shift leaves alike. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0, x = seed; i < length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0
    bytes[i] = x >>> 24
  }
  return bytes
}

/** Every file below a folder. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort()
}

/** The error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('expected a rejection')
}
