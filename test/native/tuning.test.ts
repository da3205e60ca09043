import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createModel } from '../../models/index.js'
import { Device, type DeviceOptions } from '../../ts/runtime/device.js'
import type { KernelChoices } from '../../ts/runtime/tuning-cache.js'

let cache: string
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'fovea-tuning-'))
  vi.stubEnv('FOVEA_CACHE', cache)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(cache, { recursive: true, force: true })
})

const kernelsOf = async (
  tuning: NonNullable<DeviceOptions['tuning']>,
  prepare?: (device: Device) => void,
) => {
  using device = await Device.open('cpu', { tuning })
  prepare?.(device)
  using net = await createModel('resnet20').compile(device, { batch: 2 })
  const kernels = net.describe().filter(({ op }) => op === 'convolution')
  return {
    choices: device.kernelChoices(),
    winograd: kernels.filter(({ implementation }) => implementation.includes('wino')).length,
  }
}

const everywhere = (choices: KernelChoices, kernel: string) =>
  Object.fromEntries(Object.keys(choices).map((problem) => [problem, kernel]))

/** A problem's name ends in what it was chosen from. */
const candidatesOf = (problem: string) => problem.split(': ').at(-1)!.split(', ')

const cacheFile = () => join(cache, 'tuning', readdirSync(join(cache, 'tuning'))[0]!)

it('takes the first choice, and writes nothing, where tuning is off', async () => {
  const { choices, winograd } = await kernelsOf('off')
  expect(choices).toEqual({})
  expect(winograd).toBe(0)
  expect(readdirSync(cache)).toEqual([])
})

it('keeps what it measured for the next device', async () => {
  const { choices } = await kernelsOf('fast')
  expect(Object.keys(choices).length).toBeGreaterThan(2)
  const file = JSON.parse(readFileSync(cacheFile(), 'utf8')) as { kernels: Record<string, string> }
  expect(file.kernels).toEqual(choices)

  const all = (kernel: string) => JSON.stringify({ ...file, kernels: everywhere(choices, kernel) })
  for (const [kernel, some] of [
    ['winograd', true],
    ['direct', false],
  ] as const) {
    writeFileSync(cacheFile(), all(kernel))
    const found = await kernelsOf('fast')
    expect(found.winograd > 0).toBe(some)
    for (const [problem, chosen] of Object.entries(found.choices))
      expect(candidatesOf(problem).includes(kernel), problem).toBe(chosen === kernel)
  }
})

it('uses given choices, and does not take those of another effort', async () => {
  const { choices } = await kernelsOf('fast')
  const winograd = everywhere(choices, 'winograd')
  expect((await kernelsOf('off', (device) => device.useKernels(winograd))).winograd).toBeGreaterThan(0)
  await kernelsOf('full')
  expect(readdirSync(join(cache, 'tuning'))).toHaveLength(2)
})

it.each(['', '{"device":', '[]', '{"kernels":{"a":1}}'])(
  'measures anew where the file is damaged: %j',
  async (text) => {
    await kernelsOf('fast')
    writeFileSync(cacheFile(), text)
    const { choices } = await kernelsOf('fast')
    expect((JSON.parse(readFileSync(cacheFile(), 'utf8')) as { kernels: object }).kernels).toEqual(choices)
  },
)

it('warns, and goes on, where the folder cannot be written', async () => {
  writeFileSync(join(cache, 'tuning'), 'a file in its place')
  const warnings: Error[] = []
  const listen = (warning: Error) => void warnings.push(warning)
  process.on('warning', listen)
  try {
    const { choices } = await kernelsOf('fast')
    expect(Object.keys(choices).length).toBeGreaterThan(2)
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]!.message).toContain(join(cache, 'tuning'))
  } finally {
    process.off('warning', listen)
  }
})

it('refuses what is no effort and no choices', async () => {
  await expect(Device.open('cpu', { tuning: 'much' as 'full' })).rejects.toThrow(
    /tuning.*off, fast or full.*much/,
  )
  using device = await Device.open('cpu', { tuning: 'off' })
  expect(() => device.useKernels({ problem: 7 as unknown as string })).toThrow(/choices/)
})
