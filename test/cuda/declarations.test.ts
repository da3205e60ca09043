import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { root } from '../cli/fovea.js'
import { API, compileAlone, declared, differences } from './declarations.js'
import { cudaSdk } from './sdk.js'

// fovea's own declarations of NVIDIA's interfaces (native/cuda/api), each compared with the real headers.

let work: string

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'fovea-declarations-'))
})
afterEach(() => rm(work, { recursive: true }))

test('the declarations stand by themselves', async () => {
  expect(await compileAlone(API, work)).toBe('')
})

test('the table that is loaded has every declared function', async () => {
  const symbols = await readFile(join(root, 'native/cuda/symbols.h'), 'utf8')
  const loaded = [...symbols.matchAll(/X\((\w+)\)/g)].map((match) => match[1]!)
  const { functions } = await declared(API)
  expect(functions.length).toBeGreaterThan(80)
  expect(loaded.sort()).toEqual([...functions].sort())
})

test('every name of the headers is found', async () => {
  const { types, values } = await declared(API)
  expect(types).toEqual(
    expect.arrayContaining(['cudaError', 'cudaError_t', 'cudaHostFn_t', 'CUdevice', 'cudnnHandle_t']),
  )
  expect(values).toEqual(
    expect.arrayContaining(['cudaErrorUnknown', 'CUBLAS_GEMM_DEFAULT', 'CUDNN_TYPE_CHAR']),
  )
})

describe.skipIf(cudaSdk === null)('with the real headers', () => {
  test('all declarations agree', async () => {
    expect(await differences(API, cudaSdk!.includes, work)).toBe('')
  })

  // A comparison that finds nothing wrong may be one that looks at nothing.
  test.each([
    [
      'a value',
      'cudnn_graph.h',
      'CUDNN_POINTWISE_RELU_FWD = 100',
      'CUDNN_POINTWISE_RELU_FWD = 102',
      'value CUDNN_POINTWISE_RELU_FWD',
    ],
    ['a parameter', 'runtime.h', 'cudaFree(void* pointer)', 'cudaFree(const void* pointer)', 'cudaFree'],
    ['a result', 'cudnn_status.h', 'size_t cudnnGetVersion', 'int cudnnGetVersion', 'cudnnGetVersion'],
    ['a function', 'nvrtc.h', 'nvrtcGetCUBIN(', 'nvrtcGetCubin(', 'nvrtcGetCubin'],
    ['a type', 'driver.h', 'typedef int CUdevice', 'typedef long CUdevice', 'type CUdevice'],
    ['a struct', 'cublas.h', 'struct cublasContext*', 'struct cublasLtContext*', 'type cublasHandle_t'],
    [
      'a macro',
      'runtime.h',
      'cudaEventDisableTiming 0x02',
      'cudaEventDisableTiming 0x04',
      'cudaEventDisableTiming',
    ],
  ])('%s that differs is found', async (_, header, right, wrong, message) => {
    const own = join(work, 'api')
    await cp(API, own, { recursive: true })
    const text = await readFile(join(own, header), 'utf8')
    expect(text).toContain(right)
    await writeFile(join(own, header), text.replace(right, wrong))
    expect(await differences(own, cudaSdk!.includes, work)).toContain(message)
  })
})
