import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { cudaFolders, namedFolders } from '../../ts/runtime/cuda-folders.js'

let home: string

async function folder(path: string): Promise<string> {
  await mkdir(join(home, path), { recursive: true })
  return join(home, path)
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'fovea-folders-'))
  for (const name of ['FOVEA_CUDA_PATH', 'CUDNN_PATH', 'CUDA_PATH', 'VIRTUAL_ENV', 'CONDA_PREFIX'])
    vi.stubEnv(name, undefined)
  const python = join(await folder('bin'), 'python3')
  const sites = JSON.stringify([join(home, 'python/site-packages')])
  await writeFile(python, `#!/bin/sh\necho '${sites}'\n`)
  await chmod(python, 0o755)
  vi.stubEnv('PATH', `${join(home, 'bin')}:${process.env.PATH}`)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true })
})

/** The searched folders that the test made. */
const searched = async (cudaPath?: string) =>
  (await cudaFolders(cudaPath)).map(({ path }) => path).filter((path) => path.startsWith(home))

test('variables come before environments, and these before python3', async () => {
  vi.stubEnv('CUDA_PATH', join(home, 'toolkit'))
  vi.stubEnv('CUDNN_PATH', join(home, 'dnn'))
  vi.stubEnv('VIRTUAL_ENV', join(home, 'venv'))
  vi.stubEnv('CONDA_PREFIX', join(home, 'conda'))
  const expected = [
    await folder('dnn/lib'),
    await folder('toolkit/lib64'),
    await folder('venv/lib/python3.12/site-packages/nvidia/cudnn/lib'),
    await folder('conda/lib/python3.11/site-packages/nvidia/cu13/lib'),
    await folder('python/site-packages/nvidia/cublas/lib'),
    await folder('python/site-packages/nvidia/cudnn/lib'),
  ]
  expect((await searched()).filter((path) => expected.includes(path))).toEqual(expected)
  const last = (await cudaFolders()).at(-1)
  expect(last).toEqual({ path: '', origin: "the system's own search" })
})

test('what somebody names is all that is searched', async () => {
  vi.stubEnv('CUDA_PATH', await folder('toolkit'))
  const named = await folder('named')
  const wheels = await folder('site/nvidia/cudnn/lib')
  vi.stubEnv('FOVEA_CUDA_PATH', `${named}:${join(home, 'site')}:${join(home, 'nowhere')}`)
  const folders = await cudaFolders()
  expect(folders.map(({ path }) => path)).toEqual([named, join(home, 'site'), wheels, join(home, 'nowhere')])
  expect(folders.every(({ origin, driver }) => origin === 'FOVEA_CUDA_PATH' && driver === true)).toBe(true)
  expect(await searched(named)).toEqual([named])
  expect(namedFolders(named)![0]!.origin).toBe('cudaPath')
})

test('stubs are never searched', async () => {
  await folder('toolkit/lib64/stubs')
  const real = await folder('toolkit/lib64')
  await symlink(join(home, 'toolkit/lib64/stubs'), join(home, 'linked'))
  vi.stubEnv('FOVEA_CUDA_PATH', `${real}/stubs:${join(home, 'linked')}:${real}`)
  expect(await searched()).toEqual([real])
})

test('a folder is searched once, by whatever names', async () => {
  const real = await folder('cuda-13.0/lib64')
  await symlink(join(home, 'cuda-13.0'), join(home, 'cuda'))
  vi.stubEnv('FOVEA_CUDA_PATH', `${real}:${join(home, 'cuda/lib64')}`)
  expect(await searched()).toEqual([real])
})
