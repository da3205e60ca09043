// Makes a fresh clone ready: system packages, npm packages, the native addon and the compiled TypeScript.
// Only what is missing or out of date is done, so that a second run costs next to nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const ADDON = join(root, 'build/Release/fovea.node')
const PACKAGES = ['cmake', 'g++', 'make', 'libdnnl-dev']

function run(command, args, { quiet = true } = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: quiet ? 'pipe' : 'inherit', encoding: 'utf8' })
  if (result.status === 0) return
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  fail(`'${command} ${args.join(' ')}' failed${result.error ? `: ${result.error.message}` : ''}`)
}

function fail(message) {
  process.stderr.write(`set-up: ${message}\n`)
  process.exit(1)
}

function step(name, body) {
  const start = performance.now()
  process.stderr.write(`set-up: ${name} ... `)
  body()
  process.stderr.write(`${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}

function folderOf(entry) {
  return entry.parentPath ?? entry.path
}

function newest(folder, pattern) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && pattern.test(entry.name) && !folderOf(entry).includes('node_modules'),
    )
    .reduce((time, entry) => Math.max(time, statSync(join(folderOf(entry), entry.name)).mtimeMs), 0)
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

function has(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

function systemPackages() {
  const headers = ['/usr/include', '/usr/local/include'].some((folder) =>
    existsSync(join(folder, 'oneapi/dnnl/dnnl.hpp')),
  )
  if (headers && has('cmake') && has('make') && has('c++')) return
  const install = `apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}`
  const isRoot = process.getuid?.() === 0
  if (!isRoot || !has('apt-get'))
    fail(`cmake, make, a C++20 compiler and oneDNN 2.6's headers are needed. On Debian: sudo ${install}`)
  step(`installing ${PACKAGES.join(', ')}`, () => {
    run('apt-get', ['update', '-q'])
    run('apt-get', install.split(' ').slice(1))
  })
}

systemPackages()
if (modified(join(root, 'node_modules/.package-lock.json')) < modified(join(root, 'package-lock.json')))
  step('installing npm packages', () => run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts']))
if (modified(ADDON) < Math.max(newest('native', /\.(cc|h)$/), modified(join(root, 'CMakeLists.txt'))))
  step('building the native addon', () => run('npm', ['run', 'build:native']))
if (
  modified(join(root, 'dist/.tsbuildinfo')) <
  Math.max(...['ts', 'models', 'examples', 'bench'].map((f) => newest(f, /\.ts$/)))
)
  step('compiling TypeScript', () => run('npm', ['run', 'build:ts']))
