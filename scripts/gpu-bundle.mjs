// Packs what a GPU machine without a network needs to run the GPU suite (gpu/run.sh) into build/gpu:
//
//   bundle.tar.xz                      node, the addon, its libraries, compiled JavaScript, test data
//   data-mnist.tar.xz, data-cifar10-*  with --data: the images that the training stage reads, in parts
//
//   node scripts/gpu-bundle.mjs [--data | --tree]      --tree: the bundle's tree, not packed
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const LARGEST = 45 * 2 ** 20
/** Of a part of the data: what is carried beside it must stay under 64 MiB. */
const LARGEST_PART = 46 * 2 ** 20

const print = (text) => process.stdout.write(`${text}\n`)
const root = fileURLToPath(new URL('..', import.meta.url))
const out = join(root, 'build/gpu')
const tree = join(out, 'tree')
const at = (path) => join(root, path)
const to = (path) => {
  const target = join(tree, path)
  mkdirSync(dirname(target), { recursive: true })
  return target
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, ...options })
  if (result.status === 0) return result.stdout
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  throw new Error(`'${command} ${args.join(' ').slice(0, 200)}' failed ${result.error?.message ?? ''}`)
}

function stripped(from, path) {
  copyFileSync(realpathSync(from), to(path))
  chmodSync(to(path), 0o755)
  run('strip', ['--strip-unneeded', to(path)])
}

/** Libraries of the addon that a machine may not have: those that are no part of glibc, GCC or the kernel. */
function libraries(addon) {
  const usual = /^(linux-vdso|libc|libm|libdl|libpthread|librt|libgcc_s|libstdc\+\+|ld-linux)/
  for (const line of run('ldd', [addon]).split('\n')) {
    const [, name, path] = /^\s*(\S+) => (\/\S+)/.exec(line) ?? []
    if (name && !usual.test(name)) stripped(path, `lib/${name}`)
  }
}

/** Packages and all that they need, without what is only loaded to fetch or draw things, and without types. */
function packages(names) {
  const left = [...names]
  const done = new Set()
  while (left.length > 0) {
    const name = left.pop()
    if (done.has(name) || name.startsWith('@types/')) continue
    done.add(name)
    const from = realpathSync(at(`node_modules/${name}`))
    const { dependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'))
    left.push(...Object.keys(dependencies))
    const unwanted = /\.(d\.[cm]?ts|map|md|markdown)$|\/(test|tests|docs|src)$/
    cpSync(from, to(`node_modules/${name}`), {
      recursive: true,
      filter: (path) =>
        !unwanted.test(path.slice(from.length)) || (name === 'sharp' && !/\.(map|md)$/.test(path)),
    })
  }
}

function pack(folder, archive) {
  const sorted = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0']
  // In Bourne's shell, so that nothing is held in memory.
  run('sh', ['-c', 'tar "$@" | xz -9 -T1 >"$0"', archive, ...sorted, '-cC', folder, '.'])
  return statSync(archive).size
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

function bundle() {
  const addon = at('build/Release/fovea.node')
  if (!existsSync(addon)) throw new Error(`no ${addon}: 'npm run build:native' makes it`)
  rmSync(tree, { recursive: true, force: true })
  mkdirSync(tree, { recursive: true })
  run(process.execPath, [
    at('node_modules/typescript/bin/tsc'),
    '-p',
    'gpu/tsconfig.json',
    '--outDir',
    to('dist'),
  ])
  // The package itself, under whose name the addon is found.
  const { name, version, type, exports } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  writeFileSync(to('package.json'), JSON.stringify({ name, version, type, exports }))
  stripped(process.execPath, 'bin/node')
  stripped(addon, 'build/Release/fovea.node')
  libraries(addon)
  deviceProperties()
  // Without sharp: the images here are no files that it would have to decode.
  packages(['node-gyp-build', 'commander', 'picocolors', 'cli-progress', 'env-paths', 'tar-stream', 'yauzl'])
  packages(['@vitest/runner', '@vitest/expect'])
  // Test files import what the suite has in its place.
  mkdirSync(to('node_modules/vitest'), { recursive: true })
  writeFileSync(
    to('node_modules/vitest/package.json'),
    '{"name":"vitest","type":"module","exports":"./index.js"}',
  )
  writeFileSync(to('node_modules/vitest/index.js'), "export * from '../../dist/gpu/vitest.js'\n")
  for (const path of ['reference', 'training', 'checkpoints/cifar'])
    cpSync(at(`test/data/${path}`), to(`dist/test/data/${path}`), { recursive: true })
  for (const path of ['test/hazards', 'test/training'])
    for (const file of readdirSync(at(path)))
      if (file.endsWith('.mjs')) copyFileSync(at(`${path}/${file}`), to(`dist/${path}/${file}`))
  symlinkSync('../build', to('dist/build'))
  copyFileSync(at('gpu/run.sh'), to('gpu/run.sh'))
  cpSync(at('gpu/peers'), to('gpu/peers'), {
    recursive: true,
    filter: (path) => !path.includes('__pycache__'),
  })
  if (process.argv.includes('--tree')) return
  const size = pack(tree, join(out, 'bundle.tar.xz'))
  print(`build/gpu/bundle.tar.xz: ${mebibytes(size)}`)
  if (size > LARGEST)
    throw new Error(`the bundle has ${mebibytes(size)}; it must stay under ${mebibytes(LARGEST)}`)
}

function deviceProperties() {
  const loader = ['libraries', 'library_search', 'shared_library', 'status', 'driver'].map(
    (file) => `native/cuda/${file}.cc`,
  )
  const flags = ['-std=c++20', '-O1', '-Inative', '-Inative/cuda', '-static-libstdc++', '-static-libgcc']
  run('g++', [...flags, 'gpu/device_properties.cc', ...loader, '-ldl', '-o', to('bin/device-properties')])
  run('strip', [to('bin/device-properties')])
}

/** MNIST as it is; CIFAR-10 in its official binary form, whose planes pack better than pixels. */
async function data() {
  const { openDataset, datasetFolder } = await import('../dist/ts/data/datasets/open.js')
  await openDataset('mnist', { split: 'test' })
  const mnist = join(out, 'data/mnist')
  rmSync(join(out, 'data'), { recursive: true, force: true })
  mkdirSync(join(mnist, 'mnist'), { recursive: true })
  for (const file of readdirSync(datasetFolder('mnist')))
    if (file.endsWith('ubyte')) copyFileSync(join(datasetFolder('mnist'), file), join(mnist, 'mnist', file))
  part('mnist', mnist)

  const files = { test_batch: await openDataset('cifar10', { split: 'test' }) }
  const train = await openDataset('cifar10', { split: 'train' })
  const groups = [
    ['test_batch', 'data_batch_1'],
    ['data_batch_2', 'data_batch_3'],
    ['data_batch_4', 'data_batch_5'],
  ]
  for (const [index, names] of groups.entries()) {
    const folder = join(out, `data/cifar10-${index + 1}`)
    mkdirSync(join(folder, 'cifar10'), { recursive: true })
    for (const name of names) {
      const set = files[name] ?? train
      const first = files[name] ? 0 : (Number(name.at(-1)) - 1) * 10_000
      writeFileSync(join(folder, 'cifar10', `${name}.bin`), await records(set, first, 10_000))
    }
    part(`cifar10-${index + 1}`, folder)
  }
}

function part(name, folder) {
  const size = pack(folder, join(out, `data-${name}.tar.xz`))
  print(`build/gpu/data-${name}.tar.xz: ${mebibytes(size)}`)
  if (size > LARGEST_PART) throw new Error(`data-${name} has ${mebibytes(size)}, more than a call carries`)
}

/** A label, then the red, green and blue plane. */
async function records(dataset, first, count) {
  const bytes = new Uint8Array(count * 3073)
  for (let i = 0; i < count; i++) {
    const { image, label } = await dataset.get(first + i)
    bytes[i * 3073] = label
    for (let c = 0; c < 3; c++)
      for (let p = 0; p < 1024; p++) bytes[i * 3073 + 1 + c * 1024 + p] = image.data[3 * p + c]
  }
  return bytes
}

if (process.argv.includes('--data')) await data()
else bundle()
