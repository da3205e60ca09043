import { describe, expect, test } from 'vitest'
import { join } from 'node:path'
import { node, root } from '../cli/fovea.js'
import type { DeviceInfo } from '../../ts/runtime/device.js'
import { FakeCuda, HAS_DRIVER, machineHasDriver, open } from './fakes/libraries.js'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'

describe('auto', () => {
  test('takes the only GPU', async () => {
    const { folder } = await FakeCuda.complete()
    const { kind, description } = await open('auto', { FOVEA_CUDA_PATH: folder })
    expect({ kind, description }).toMatchObject({
      kind: 'cuda',
      description: expect.stringMatching(/\(chosen: the only GPU\)$/) as string,
    })
  })

  test('takes the GPU with the most free memory', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ free: [1 << 20, 3 << 20, 2 << 20] })
    // Tells which GPU it is started with.
    await fake.runtime({
      gpus: 3,
      definitions: {
        cudaSetDevice:
          'int dprintf(int, const char*, ...); int cudaSetDevice(int d) { dprintf(2, "GPU %d\\n", d); return 0; }',
      },
    })
    const { stdout, stderr } = await node([join(root, 'test/cuda/fakes/open.mjs'), 'auto'], {
      FOVEA_CUDA_PATH: fake.folder,
    })
    expect(stdout).toContain('(chosen: the most free memory of 3 GPUs)')
    expect(new Set(stderr.match(/GPU \d/g))).toEqual(new Set(['GPU 1']))
  })

  test('takes the CPU where the GPU cannot be used, and says why', async () => {
    const fake = await FakeCuda.complete()
    await fake.remove('libcublas.so.13')
    const { kind, description } = await open('auto', { FOVEA_CUDA_PATH: fake.folder })
    expect(kind).toBe('cpu')
    expect(description).toMatch(/\(chosen: Fake GPU 0 cannot be used, cuBLAS of CUDA 13 was not found\)$/)
  })

  test('without a driver looks no further', async ({ skip }) => {
    skip(machineHasDriver(), HAS_DRIVER)
    const { folder } = await FakeCuda.empty()
    const python = join(folder, 'python3')
    await writeFile(python, `#!/bin/sh\ntouch ${join(folder, 'asked')}\n`)
    await chmod(python, 0o755)
    const { kind, description } = await open('auto', {
      FOVEA_CUDA_PATH: undefined,
      PATH: `${folder}:${process.env.PATH}`,
    })
    expect(kind).toBe('cpu')
    expect(description).toMatch(/\(chosen: there is no NVIDIA driver\)$/)
    await expect(readFile(join(folder, 'asked'))).rejects.toThrow('ENOENT')
  })
})

test('the CPU is opened without a look for CUDA', async () => {
  const { folder } = await FakeCuda.complete()
  const env = { FOVEA_CUDA_PATH: folder }
  expect((await open('cpu', env)).loaded).toEqual([])
  expect((await open('cuda', env)).loaded).toContain(join(folder, 'libcuda.so.1'))
})

describe('the list of devices', () => {
  const list = async (env: NodeJS.ProcessEnv) => {
    const module = join(root, 'dist/ts/index.js')
    const code = `import { Device } from '${module}'; console.log(JSON.stringify(await Device.list()))`
    const { stdout, stderr } = await node(['--input-type=module', '-e', code], env)
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as DeviceInfo[]
  }

  test('has the CPU', async () => {
    const [cpu] = await list({ FOVEA_CUDA_PATH: (await FakeCuda.empty()).folder })
    expect(cpu).toMatchObject({ name: 'cpu', kind: 'cpu', problem: null, computeCapability: null })
    expect(cpu!.libraries.oneDNN).toMatch(/^\d+\.\d+/)
    expect(cpu!.memory.total).toBeGreaterThan(cpu!.memory.free!)
  })

  test('has GPUs with their memory, compute capability and libraries', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ free: [123 << 20, 456 << 20] })
    const [, first, second, ...others] = await list({ FOVEA_CUDA_PATH: fake.folder })
    expect(others).toEqual([])
    expect(first).toEqual({
      name: 'cuda:0',
      kind: 'cuda',
      model: 'Fake GPU 0',
      memory: { total: 2 ** 30, free: 123 * 2 ** 20 },
      computeCapability: '9.0',
      libraries: { driver: '13.0', CUDA: '13.0', cuDNN: '9.10.0', NVRTC: '13.0' },
      problem: null,
    })
    expect(second).toMatchObject({ name: 'cuda:1', memory: { free: 456 * 2 ** 20 } })
  })

  test('has GPUs that cannot be used, and why', async () => {
    const fake = await FakeCuda.complete()
    await fake.remove('libcudnn.so.9')
    const [, gpu] = await list({ FOVEA_CUDA_PATH: fake.folder })
    expect(gpu).toMatchObject({ name: 'cuda:0', problem: { reason: 'library-missing' } })
  })

  test('has GPUs that do not tell their free memory', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({
      definitions: { cuDevicePrimaryCtxRetain: 'int cuDevicePrimaryCtxRetain() { return 2; }' },
    })
    const [, gpu] = await list({ FOVEA_CUDA_PATH: fake.folder })
    expect(gpu!.memory).toEqual({ total: 2 ** 30, free: null })
  })
})

test('the libraries of a cudaPath are taken in place of FOVEA_CUDA_PATH', async () => {
  const { folder } = await FakeCuda.complete()
  const module = join(root, 'dist/ts/index.js')
  const code = `import { Device } from '${module}'
    console.log((await Device.open('cuda', { cudaPath: '${folder}' })).kind)`
  await mkdir(join(folder, 'empty'))
  const { stdout } = await node(['--input-type=module', '-e', code], {
    FOVEA_CUDA_PATH: join(folder, 'empty'),
  })
  expect(stdout).toBe('cuda\n')
})
