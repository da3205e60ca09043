import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AbortError, DownloadError, InvalidArgumentError } from '../../ts/errors.js'
import { cachedPath, fetchFile } from '../../ts/io/download.js'
import { failure, filesIn, noise, serve, sha256, temporaryFolder, type Handler } from './helpers.js'

const freshCache = temporaryFolder()
const content = noise(300_000)
const digest = sha256(content)

interface Behaviour {
  /** Bytes after which a connection breaks, request by request; whole answers after that. */
  readonly breaks?: readonly number[]
  readonly etag?: (request: number) => string
  readonly body?: (request: number) => Buffer
  readonly ranges?: boolean
}

/** A web server as they are: with entity tags and ranges, but connections that break. */
function host({ breaks = [], etag, body = () => content, ranges = true }: Behaviour = {}): Handler {
  let count = 0
  return (request, response) => {
    const n = count++
    const bytes = body(n)
    const tag = etag?.(n)
    if (tag !== undefined) response.setHeader('etag', tag)
    const match = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
    const condition = request.headers['if-range']
    const start = ranges && match && (condition === undefined || condition === tag) ? Number(match[1]) : 0
    if (start >= bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
      return
    }
    if (start > 0)
      response.writeHead(206, {
        'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
        'content-length': bytes.length - start,
      })
    else response.writeHead(200, { 'content-length': bytes.length })
    const length = breaks[n]
    if (length === undefined) response.end(bytes.subarray(start))
    else response.write(bytes.subarray(start, start + length), () => setTimeout(() => response.destroy(), 20))
  }
}

const part = (path: string) => `${path}.part`

describe('fetchFile over http', () => {
  it('fetches once, tells its progress, and finds the file in the cache afterwards', async () => {
    const { url, requests } = await serve(host())
    const cache = freshCache()
    const source = { url: `${url}/models/net-12345678.pth`, sha256: digest, bytes: content.length }
    const progress: [number, number | undefined][] = []
    const path = await fetchFile(source, { cache, onProgress: (...args) => progress.push(args) })
    expect(path).toBe(cachedPath(source, { cache }))
    expect(path.endsWith(join('models', 'net-12345678.pth'))).toBe(true)
    expect((await readFile(path)).equals(content)).toBe(true)
    expect(progress.at(0)).toEqual([0, content.length])
    expect(progress.at(-1)).toEqual([content.length, content.length])
    expect(await fetchFile(source, { cache })).toBe(path)
    expect(await fetchFile(source, { cache, offline: true })).toBe(path)
    expect(requests).toHaveLength(1)
    expect(await filesIn(cache)).toEqual(['net-12345678.pth', 'net-12345678.pth.verified'])
  })

  it('takes the first digits of a checksum where no more are known', async () => {
    const { url } = await serve(host())
    await fetchFile({ url: `${url}/a`, sha256: digest.slice(0, 8) }, { cache: freshCache() })
    const error = await failure(
      fetchFile({ url: `${url}/a`, sha256: digest.slice(0, 7) }, { cache: freshCache() }),
    )
    expect(error).toBeInstanceOf(InvalidArgumentError)
  })

  it('goes on where a connection broke, with the entity tag as a condition', async () => {
    const { url, requests } = await serve(host({ breaks: [100_000, 50_000], etag: () => '"v1"' }))
    const cache = freshCache()
    const received: number[] = []
    const path = await fetchFile(
      { url: `${url}/a`, sha256: digest },
      { cache, onProgress: (bytes) => received.push(bytes) },
    )
    expect((await readFile(path)).equals(content)).toBe(true)
    expect(requests.map(({ headers }) => [headers.range, headers['if-range']])).toEqual([
      [undefined, undefined],
      ['bytes=100000-', '"v1"'],
      ['bytes=150000-', '"v1"'],
    ])
    expect(received).toEqual([...received].sort((a, b) => a - b))
  })

  it('starts again when the file changed in between', async () => {
    const old = noise(300_000, 2)
    const { url, requests } = await serve(
      host({
        breaks: [100_000],
        etag: (n) => `"v${Math.min(n, 1)}"`,
        body: (n) => (n === 0 ? old : content),
      }),
    )
    const path = await fetchFile({ url: `${url}/a`, sha256: digest }, { cache: freshCache() })
    expect((await readFile(path)).equals(content)).toBe(true)
    expect(requests).toHaveLength(2)
  })

  it('lets the checksum find out when the server gives no tag or a weak one', async () => {
    const old = noise(300_000, 2)
    for (const etag of [undefined, () => 'W/"v"']) {
      const { url, requests } = await serve(
        host({ breaks: [100_000], body: (n) => (n === 0 ? old : content), ...(etag ? { etag } : {}) }),
      )
      const path = await fetchFile({ url: `${url}/a`, sha256: digest }, { cache: freshCache() })
      expect((await readFile(path)).equals(content)).toBe(true)
      expect(requests.map(({ headers }) => [headers.range, headers['if-range']])).toEqual([
        [undefined, undefined],
        ['bytes=100000-', undefined],
        [undefined, undefined],
      ])
    }
  })

  it('starts again at a server without ranges', async () => {
    const { url, requests } = await serve(host({ breaks: [100_000], ranges: false }))
    const path = await fetchFile({ url: `${url}/a`, sha256: digest }, { cache: freshCache() })
    expect((await readFile(path)).equals(content)).toBe(true)
    expect(requests).toHaveLength(2)
  })

  it.each([
    ['a part', content.subarray(0, 120_000), ['bytes=120000-']],
    ['the whole', content, ['bytes=300000-']],
    ['a part of something else', noise(120_000, 3), ['bytes=120000-', undefined]],
    ['more than there is', noise(400_000, 3), ['bytes=400000-', undefined]],
  ])('goes on with %s that an earlier process left', async (_, left, ranges) => {
    const { url, requests } = await serve(host({ etag: () => '"v1"' }))
    const cache = freshCache()
    const source = { url: `${url}/a`, sha256: digest }
    await mkdir(dirname(cachedPath(source, { cache })), { recursive: true })
    await writeFile(part(cachedPath(source, { cache })), left)
    expect((await readFile(await fetchFile(source, { cache }))).equals(content)).toBe(true)
    expect(requests.map(({ headers }) => headers.range)).toEqual(ranges)
  })

  it('gives up after a few attempts that bring nothing, keeping what there is', async () => {
    const { url, requests } = await serve(host({ breaks: [100_000, 0, 0, 0, 0, 0] }))
    const cache = freshCache()
    const source = { url: `${url}/a`, sha256: digest }
    const error = await failure(fetchFile(source, { cache }))
    expect(error).toBeInstanceOf(DownloadError)
    expect(error.code).toBe('DOWNLOAD')
    expect(requests).toHaveLength(4)
    expect((await stat(part(cachedPath(source, { cache })))).size).toBe(100_000)
  })

  it('removes a file with a wrong checksum', async () => {
    const { url, requests } = await serve(host({ body: () => noise(1000, 5) }))
    const cache = freshCache()
    const error = await failure(fetchFile({ url: `${url}/a`, sha256: digest }, { cache }))
    expect(error).toBeInstanceOf(DownloadError)
    expect(error.message).toContain(digest)
    expect(error.message).toContain(sha256(noise(1000, 5)))
    expect(error.message).toContain(`${url}/a`)
    expect(await filesIn(cache)).toEqual([])
    expect(requests).toHaveLength(1)
  })

  it.each([
    [404, 1],
    [403, 1],
    [503, 4],
  ])('reports the answer %i after %i attempt(s)', async (status, attempts) => {
    const { url, requests } = await serve((_, response) => response.writeHead(status).end('no'))
    const cache = freshCache()
    const error = await failure(fetchFile({ url: `${url}/a.pth`, sha256: digest }, { cache }))
    expect(error).toBeInstanceOf(DownloadError)
    expect(error.message).toContain(`${url}/a.pth`)
    expect(error.message).toContain(String(status))
    expect(requests).toHaveLength(attempts)
    expect(await filesIn(cache)).toEqual([])
  })

  it('says where to put the file when the server cannot be reached, or must not be', async () => {
    const cache = freshCache()
    const source = { url: 'http://127.0.0.1:9/models/a.pth?x=1', sha256: digest }
    for (const offline of [false, true]) {
      const error = await failure(fetchFile(source, { cache, offline }))
      expect(error).toBeInstanceOf(DownloadError)
      expect(error.code).toBe('DOWNLOAD')
      expect(error.message).toContain(source.url)
      expect(error.message).toContain(cachedPath(source, { cache }))
      expect(error.message).toMatch(offline ? /switched off/ : /bad port|ECONNREFUSED/)
    }
  })

  it('checks and uses a file put there by hand', async () => {
    const cache = freshCache()
    const source = { url: 'http://127.0.0.1:9/models/a.pth', sha256: digest }
    const path = cachedPath(source, { cache })
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
    expect(await fetchFile(source, { cache })).toBe(path)

    await writeFile(path, content.subarray(1))
    const error = await failure(fetchFile(source, { cache, offline: true }))
    expect(error).toBeInstanceOf(DownloadError)
    expect(error.message).toContain(path)
    expect(error.message).toContain('wrong checksum')
    expect(await filesIn(cache)).toEqual(['a.pth.verified'])
  })

  it('hashes again when a cached file was touched, and only believes its content', async () => {
    const { url, requests } = await serve(host())
    const cache = freshCache()
    const source = { url: `${url}/a`, sha256: digest }
    const path = await fetchFile(source, { cache })
    await utimes(path, 1, 1)
    expect(await fetchFile(source, { cache })).toBe(path)
    const altered = Buffer.from(content)
    altered[5]! ^= 1
    await writeFile(path, altered)
    expect((await failure(fetchFile(source, { cache }))).message).toContain('wrong checksum')
    expect((await readFile(await fetchFile(source, { cache }))).equals(content)).toBe(true)
    expect(requests).toHaveLength(2)
  })

  it('stops when it is aborted, and goes on later', async () => {
    let slow = true
    const { url, requests } = await serve((request, response) => {
      if (!slow) {
        host({ etag: () => '"v"' })(request, response)
        return
      }
      response.writeHead(200, { 'content-length': content.length }).write(content.subarray(0, 70_000))
      return undefined
    })
    const cache = freshCache()
    const source = { url: `${url}/a`, sha256: digest }
    const abort = new AbortController()
    const onProgress = (received: number) => {
      if (received >= 70_000) abort.abort()
    }
    const error = await failure(fetchFile(source, { cache, onProgress, signal: abort.signal }))
    expect(error).toBeInstanceOf(AbortError)
    expect([error.name, error.code]).toEqual(['AbortError', 'ABORTED'])
    expect(await filesIn(cache)).toEqual(['a.part'])
    expect(await failure(fetchFile(source, { cache, signal: abort.signal }))).toBeInstanceOf(AbortError)
    expect(requests).toHaveLength(1)
    slow = false
    expect((await readFile(await fetchFile(source, { cache }))).equals(content)).toBe(true)
    expect(requests[1]!.headers.range).toBe('bytes=70000-')
  })

  it('fetches once for several who ask at the same time', async () => {
    const { url, requests } = await serve(host())
    const cache = freshCache()
    const source = { url: `${url}/a`, sha256: digest }
    const paths = await Promise.all([1, 2, 3].map(() => fetchFile(source, { cache })))
    expect(new Set(paths).size).toBe(1)
    expect(requests).toHaveLength(1)
    expect(await filesIn(cache)).toEqual(['a', 'a.verified'])
  })

  it('takes over the lock of a process that died', async () => {
    const { url } = await serve(host())
    const cache = freshCache()
    const source = { url: `${url}/a`, sha256: digest }
    const path = cachedPath(source, { cache })
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.lock`, '')
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 300)
    expect(await failure(fetchFile(source, { cache, signal: abort.signal }))).toBeInstanceOf(AbortError)
    expect(await fetchFile(source, { cache })).toBe(path)
    expect(await filesIn(cache)).toEqual(['a', 'a.verified'])
  })

  it.each(['ftp://example.org/a', 'file:///etc/passwd', 'not a url'])('refuses %s', async (url) => {
    expect(await failure(fetchFile({ url, sha256: digest }, { cache: freshCache() }))).toBeInstanceOf(
      InvalidArgumentError,
    )
  })

  it('keeps to the cache folder whatever the URL says', () => {
    const cache = freshCache()
    for (const path of ['/../../../etc/passwd', '/%2e%2e/%2e%2e/etc', '/a?../../b'])
      expect(
        cachedPath({ url: `http://host:80${path}`, sha256: digest }, { cache }).startsWith(
          join(cache, 'host'),
        ),
      ).toBe(true)
  })
})
