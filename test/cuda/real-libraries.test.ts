import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { node, root } from '../cli/fovea.js'
import type { CudaInspection } from '../../ts/runtime/cuda.js'
import { addonPath } from '../native/addon.js'
import { FakeCuda, HAS_DRIVER, machineHasDriver, open } from './fakes/libraries.js'
import { cudaSdk } from './sdk.js'

test('the addon needs no library of NVIDIA', () => {
  const dynamic = execFileSync('readelf', ['-d', addonPath], { encoding: 'utf8' })
  const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]!)
  expect(needed).toContain('libdnnl.so.2')
  expect(needed.filter((name) => /cu(da|dnn|blas|rt)|nv/i.test(name))).toEqual([])
})

describe.skipIf(cudaSdk === null)("NVIDIA's own libraries, on any machine", () => {
  const folders = () => cudaSdk!.libraries.join(':')

  /** What is found in a process of its own. */
  async function inspect(): Promise<CudaInspection> {
    const module = join(root, 'dist/ts/runtime/cuda.js')
    const code = `import { inspectCuda } from '${module}'
      console.log(JSON.stringify(await inspectCuda({ libraries: true, freeMemory: false })))`
    const {
      code: ending,
      stdout,
      stderr,
    } = await node(['--input-type=module', '-e', code], {
      FOVEA_CUDA_PATH: folders(),
    })
    if (ending !== 0) throw new Error(`ended with ${ending}: ${stderr}`)
    return JSON.parse(stdout) as CudaInspection
  }

  test('load without a driver, with all functions of the table', async ({ skip }) => {
    skip(machineHasDriver(), HAS_DRIVER)
    const { driver, libraries, librariesProblem } = await inspect()
    expect(driver).toBeNull()
    expect(librariesProblem).toBeNull()
    expect(libraries!.versions.cudnn).toMatch(/^9\.\d+\.\d+$/)
    expect(libraries!.versions.runtime).toMatch(/^13\.\d+$/)
    for (const [name, path] of Object.entries(libraries!.files))
      expect(cudaSdk!.libraries.some((folder) => path === join(folder, name))).toBe(true)
    expect(Object.keys(libraries!.files)).toEqual(
      expect.arrayContaining(['libcudnn_engines_precompiled.so.9', 'libcudnn_heuristic.so.9']),
    )
  })

  test('end in a typed error without a driver', async ({ skip }) => {
    skip(machineHasDriver(), HAS_DRIVER)
    const outcome = await open('cuda', { FOVEA_CUDA_PATH: folders() })
    expect(outcome).toMatchObject({ name: 'CudaUnavailable', code: 'CUDA_UNAVAILABLE' })
  })

  test('end in a typed error with a driver that they cannot use', async () => {
    const fake = await FakeCuda.empty()
    await fake.driver()
    const outcome = await open('cuda', { FOVEA_CUDA_PATH: `${fake.folder}:${folders()}` })
    expect(outcome).toMatchObject({ name: 'CudaUnavailable', code: 'CUDA_UNAVAILABLE' })
    // cuDNN was there by then.
    expect(outcome.loaded.some((path) => path.endsWith('libcudnn.so.9'))).toBe(true)
    expect(outcome.message).toMatch(/runtime says|too old/)
  })
})
