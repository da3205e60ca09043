import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FakeCuda, HAS_DRIVER, machineHasDriver, open, type Opened } from './fakes/libraries.js'

// Every cause for which CUDA cannot be used, made by small libraries that fail in that way. Each device is opened in
// a process of its own, since libraries stay in a process.

const openCuda = (folder: string, device = 'cuda', env: NodeJS.ProcessEnv = {}): Promise<Opened> =>
  open(device, { FOVEA_CUDA_PATH: folder, ...env })

/** The error with its reason, which must say in words what was searched, found and needed. */
function expectUnavailable(outcome: Opened, reason: string, message: RegExp): void {
  expect(outcome).toMatchObject({ name: 'CudaUnavailable', code: 'CUDA_UNAVAILABLE', reason })
  expect(outcome.message).toMatch(message)
  expect(outcome.message).toContain(`Needed: ${outcome.expected}.`)
  expect(outcome.message).toContain(`Found: ${outcome.got}.`)
  for (const place of outcome.searched ?? []) expect(outcome.message).toContain(place)
}

const status = (name: string, value: number): Readonly<Record<string, string>> => ({
  [name]: `int ${name}() { return ${value}; }`,
})

test('with all libraries the device opens', async () => {
  const { folder } = await FakeCuda.complete()
  const outcome = await openCuda(folder)
  expect(outcome.kind, outcome.message).toBe('cuda')
})

describe('no driver', () => {
  test('at all', async ({ skip }) => {
    skip(machineHasDriver(), HAS_DRIVER)
    const outcome = await openCuda((await FakeCuda.empty()).folder)
    expectUnavailable(outcome, 'no-driver', /there is no NVIDIA driver/)
    expect(outcome.searched).toContain("libcuda.so.1 (the system's own search)")
  })

  test('but a stub for linkers', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ definitions: status('cuInit', 34) })
    expectUnavailable(await openCuda(fake.folder), 'no-driver', /a stub in the place of the NVIDIA driver/)
  })
})

// Found by the system's own search, in a folder that a build's settings may have left in it.
test('no driver but a stub in a folder of stubs', async ({ skip }) => {
  skip(machineHasDriver(), HAS_DRIVER)
  const fake = await FakeCuda.complete()
  const stubs = await fake.beside('stubs')
  await stubs.driver()
  await fake.remove('libcuda.so.1')
  const outcome = await openCuda(fake.folder, 'cuda', { LD_LIBRARY_PATH: stubs.folder })
  expectUnavailable(outcome, 'no-driver', /stubs\/libcuda\.so\.1, a stub without a driver behind it/)
})

describe('driver too old', () => {
  test('for every supported version', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ version: 11080 })
    expectUnavailable(
      await openCuda(fake.folder),
      'driver-too-old',
      /the NVIDIA driver is too old\. Needed: .* Found: a driver for CUDA 11\.8/,
    )
  })

  test('for the libraries that were found', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ version: 12040 })
    expectUnavailable(
      await openCuda(fake.folder),
      'driver-too-old',
      /Found: a driver for CUDA 12\.4, and cuDNN 9\.10\.0 for CUDA 13\.0/,
    )
  })

  test('by what the runtime says', async () => {
    const fake = await FakeCuda.complete()
    await fake.runtime({ definitions: status('cudaGetDeviceCount', 35) })
    expectUnavailable(await openCuda(fake.folder), 'driver-too-old', /too old for the libraries/)
  })
})

describe('driver that does not start', () => {
  test('by itself', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ definitions: status('cuInit', 803) })
    expectUnavailable(await openCuda(fake.folder), 'driver-failed', /CUDA_FAKE \(803\), a fake failure/)
  })

  test('with a GPU', async () => {
    const fake = await FakeCuda.complete()
    await fake.runtime({ definitions: status('cudaSetDevice', 46) })
    expectUnavailable(await openCuda(fake.folder), 'driver-failed', /cuda:0 does not start.*\(46\)/)
  })
})

describe('no device', () => {
  test('that the driver sees', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ definitions: status('cuInit', 100) })
    expectUnavailable(await openCuda(fake.folder), 'no-device', /the NVIDIA driver sees no GPU/)
  })

  test('of a count of none', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ free: [] })
    expectUnavailable(await openCuda(fake.folder), 'no-device', /sees no GPU/)
  })

  test('of that number', async () => {
    const { folder } = await FakeCuda.complete()
    const outcome = await openCuda(folder, 'cuda:5')
    expectUnavailable(outcome, 'no-device', /cuda:5 is not there.*0 to 0.*1 GPU/)
  })
})

describe('library missing', () => {
  test.each([
    ['libcudnn.so.9', /cuDNN 9 was not found/],
    ['libcudnn_ops.so.9', /lacks libcudnn_ops\.so\.9/],
    ['libcudart.so.13', /the runtime of CUDA 13 was not found/],
    ['libcublas.so.13', /cuBLAS of CUDA 13 was not found/],
    ['libcublasLt.so.13', /lacks libcublasLt\.so\.13/],
    ['libnvrtc.so.13', /NVRTC of CUDA 13 was not found/],
    ['libnvrtc-builtins.so.13.0', /NVRTC 13\.0's built-ins was not found/],
  ])('%s', async (file, message) => {
    const fake = await FakeCuda.complete()
    await fake.remove(file)
    const outcome = await openCuda(fake.folder)
    expectUnavailable(outcome, 'library-missing', message)
    expect(outcome.searched?.[0]).toContain(fake.folder)
  })

  test('that is no library', async () => {
    const fake = await FakeCuda.complete()
    await writeFile(join(fake.folder, 'libcublas.so.13'), 'no library')
    expectUnavailable(await openCuda(fake.folder), 'library-missing', /libcublas\.so\.13 does not open: .*/)
  })
})

describe('mixed folders', () => {
  test('where cuDNN lies in two', async () => {
    const fake = await FakeCuda.complete()
    const other = await fake.beside('other')
    await other.cudnn()
    await other.remove('libcudnn.so.9')
    await fake.remove('libcudnn_cnn.so.9')
    const outcome = await openCuda(`${fake.folder}:${other.folder}`)
    expectUnavailable(outcome, 'mixed-folders', /lie in different folders/)
    expect(outcome.got).toContain(other.folder)
  })

  test('where another one is in the process already', async () => {
    const [fake, other] = await Promise.all([FakeCuda.complete(), FakeCuda.complete()])
    const loaded = join(other.folder, 'libcudnn_graph.so.9')
    const outcome = await openCuda(fake.folder, 'cuda', { LD_PRELOAD: loaded })
    expectUnavailable(outcome, 'mixed-folders', /already loaded libcudnn_graph\.so\.9 from another folder/)
    expect(outcome.got).toContain(loaded)
  })

  test('where cuDNN itself finds versions mixed', async () => {
    const fake = await FakeCuda.complete()
    await fake.cudnn({ definitions: status('cudnnOpsVersionCheck', 1002) })
    expectUnavailable(await openCuda(fake.folder), 'mixed-folders', /not of one version/)
  })
})

describe('wrong version', () => {
  test('of cuDNN, by its name', async () => {
    const fake = await FakeCuda.complete()
    await fake.remove('libcudnn.so.9')
    await fake.library('libcudnn.so.8', [])
    expectUnavailable(await openCuda(fake.folder), 'wrong-version', /another version only.*libcudnn\.so\.8/)
  })

  test('of cuDNN, by what it says', async () => {
    const fake = await FakeCuda.complete()
    await fake.cudnn({ version: 90001 })
    expectUnavailable(await openCuda(fake.folder), 'wrong-version', /Found: cuDNN 9\.0\.1 in/)
  })

  test('of CUDA behind cuDNN', async () => {
    const fake = await FakeCuda.complete()
    await fake.cudnn({ cudart: 11080 })
    expectUnavailable(await openCuda(fake.folder), 'wrong-version', /for CUDA 11\.8/)
  })

  test('of CUDA beside cuDNN', async () => {
    const fake = await FakeCuda.complete()
    await fake.remove('libcudart.so.13')
    await fake.library('libcudart.so.12', [])
    expectUnavailable(
      await openCuda(fake.folder),
      'wrong-version',
      /Needed: libcudart\.so\.13.*libcudart\.so\.12/,
    )
  })

  test('by a function that is not there', async () => {
    const fake = await FakeCuda.complete()
    await fake.library('libcublas.so.13', ['cublasCreate_v2'])
    expectUnavailable(
      await openCuda(fake.folder),
      'wrong-version',
      /libcublas\.so\.13 has no function cublas/,
    )
  })
})

describe('out of memory', () => {
  test('of the driver', async () => {
    const fake = await FakeCuda.complete()
    await fake.driver({ definitions: status('cuInit', 2) })
    expectUnavailable(await openCuda(fake.folder), 'out-of-memory', /no memory to start/)
  })

  test('of the GPU', async () => {
    const fake = await FakeCuda.complete()
    await fake.runtime({ definitions: status('cudaSetDevice', 2) })
    expectUnavailable(await openCuda(fake.folder), 'out-of-memory', /cuda:0 has no memory to start/)
  })

  test('of what a device begins with', async () => {
    const fake = await FakeCuda.complete()
    await fake.runtime({ definitions: status('cudaStreamCreateWithFlags', 2) })
    expectUnavailable(await openCuda(fake.folder), 'out-of-memory', /cudaStreamCreateWithFlags/)
  })
})
