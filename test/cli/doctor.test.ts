import { expect, test } from 'vitest'
import type { CudaDiagnosis } from '../../ts/cli/cuda-diagnosis.js'
import { FakeCuda, HAS_DRIVER, machineHasDriver } from '../cuda/fakes/libraries.js'
import { fovea } from './fovea.js'

interface Report {
  readonly fovea: string
  readonly platform: string
  readonly cpu: string
  readonly cuda: CudaDiagnosis
}

async function doctor(folder: string): Promise<Report> {
  const { code, stdout, stderr } = await fovea(['doctor', '--json'], { FOVEA_CUDA_PATH: folder })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Report
}

test('a machine without CUDA is told what is missing and what to do', async ({ skip }) => {
  skip(machineHasDriver(), HAS_DRIVER)
  const { folder } = await FakeCuda.empty()
  const { cpu, cuda } = await doctor(folder)
  expect(cpu).toMatch(/^oneDNN /)
  const [first, second] = cuda.problems
  expect(cuda).toMatchObject({ usable: false, driver: null, libraries: null, gpus: [] })
  expect(first).toMatchObject({
    reason: 'no-driver',
    device: null,
    remedy: expect.stringMatching(/install its driver/) as string,
  })
  expect(second).toMatchObject({
    reason: 'library-missing',
    remedy: expect.stringMatching(/nvidia-cudnn-cu13/) as string,
  })
  expect(second!.searched).toEqual([`${folder} (FOVEA_CUDA_PATH)`])
  expect(cuda.auto).toMatch(/^oneDNN .*\(chosen: there is no NVIDIA driver\)$/)
  const { stdout } = await fovea(['doctor'], { FOVEA_CUDA_PATH: folder })
  for (const text of [cpu, first!.message, first!.remedy, second!.message, second!.remedy, cuda.auto!])
    expect(stdout).toContain(text)
})

test('a machine with CUDA is shown its GPUs and where its libraries are', async () => {
  const { folder } = await FakeCuda.complete()
  const { cuda } = await doctor(folder)
  expect(cuda.problems).toEqual([])
  expect(cuda.usable).toBe(true)
  expect(cuda.gpus).toEqual([
    {
      name: 'cuda:0',
      model: 'Fake GPU 0',
      memory: { total: 2 ** 30, free: 2 ** 20 },
      computeCapability: '9.0',
      usable: true,
    },
  ])
  expect(cuda.libraries!.files['libcudnn.so.9']).toBe(`${folder}/libcudnn.so.9`)
  const { stdout } = await fovea(['doctor'], { FOVEA_CUDA_PATH: folder })
  expect(stdout).toMatch(/cuda:0 +Fake GPU 0 +compute capability 9\.0 +1\.\d+ MB of 1\.\d+ GB free +usable/)
  expect(stdout).toContain(`${folder}/libcublas.so.13`)
  expect(stdout).not.toContain('What is missing')
})

test('a GPU that does not start is told with the reason', async () => {
  const fake = await FakeCuda.complete()
  await fake.runtime({ definitions: { cudaSetDevice: 'int cudaSetDevice() { return 2; }' } })
  const { cuda } = await doctor(fake.folder)
  expect(cuda.usable).toBe(false)
  expect(cuda.gpus[0]).toMatchObject({ name: 'cuda:0', usable: false })
  expect(cuda.problems).toMatchObject([{ reason: 'out-of-memory', device: 'cuda:0' }])
})

test.each([
  ['crashes', 'int cuInit() { return *(volatile int*)0; }', /was ended by SIGSEGV/],
  [
    'aborts with a message',
    'void abort(); int puts(const char*); int dprintf(int, const char*, ...); int cuInit() { dprintf(2, "driver is broken\\n"); abort(); return 0; }',
    /was ended by SIGABRT, after it printed: driver is broken/,
  ],
  ['ends the process', 'void _exit(int); int cuInit() { _exit(7); return 0; }', /ended with code 7/],
])('a driver that %s is told, and takes nobody down', async (_, cuInit, message) => {
  const fake = await FakeCuda.complete()
  await fake.driver({ definitions: { cuInit } })
  const { cuda } = await doctor(fake.folder)
  expect(cuda.usable).toBe(false)
  expect(cuda.problems).toHaveLength(1)
  expect(cuda.problems[0]).toMatchObject({ reason: 'crashed' })
  expect(cuda.problems[0]!.message).toMatch(message)
})
