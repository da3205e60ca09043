import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cudaSdk, sdkMissing } from './sdk.js'

// Every kernel of ours, in every variant that a family asks for, compiled by the real NVRTC for real GPUs, which
// needs none to be there.

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const KERNELS = path('../../native/cuda/kernels')
const ARCHITECTURES = ['sm_80', 'sm_90', 'sm_100', 'sm_120']
/** For what is compiled in many variants, all but the first. */
const OUTER_ARCHITECTURES = ['sm_80', 'sm_120']
const architecturesOf = (variant: number) => (variant === 0 ? ARCHITECTURES : OUTER_ARCHITECTURES)

type Defines = Readonly<Record<string, string>>

const ELEMENTS = ['float', 'half_t', 'bfloat_t']
const elements: readonly Defines[] = ELEMENTS.map((T) => ({ T }))
/** All combinations of values of macros. */
function combined(macros: Readonly<Record<string, readonly string[]>>): readonly Defines[] {
  return Object.entries(macros).reduce<readonly Defines[]>(
    (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  )
}

/** For kernels that take V elements at once, as many as 16 bytes hold or one. */
const packed = (macros: Readonly<Record<string, readonly string[]>>): readonly Defines[] => [
  ...combined({ ...macros, T: ['float'], V: ['1', '4'] }),
  ...combined({ ...macros, T: ['half_t', 'bfloat_t'], V: ['1', '8'] }),
]

/** The macros with which each source is compiled. */
const VARIANTS: Readonly<Record<string, readonly Defines[]>> = {
  adaptive_pooling: elements,
  batch_norm: packed({}),
  channels: elements,
  dropout: elements,
  edges: elements,
  elementwise: elements,
  local_response_norm: elements,
  loss_scaling: elements,
  losses: elements,
  moves: combined({ T: ELEMENTS, FOVEA_UNIT: ['uint4', 'uint2', 'unsigned', 'unsigned short'] }),
  normalize_image: elements,
  optimizers: elements,
  pooling: packed({ Index: ['u8', 'int'] }),
  radial_basis: [{}],
  reorder: ['u32', 'u16', 'u8'].map((type) => ({ FROM: type, TO: type })),
  rows: packed({ B: ['float', 'half_t'] }),
  sums: elements,
}

const sources = readdirSync(KERNELS)
  .filter((name) => name.endsWith('.cu') && name !== 'prelude.cu')
  .map((name) => name.slice(0, -'.cu'.length))
const text = (name: string) => readFileSync(join(KERNELS, `${name}.cu`), 'utf8')

/** What the addon gives to NVRTC (native/cuda/module.cc). */
function assembled(body: string, defines: Defines): string {
  const macros = Object.entries({ T: 'float', ...defines }).map(
    ([name, value]) => `#define ${name} ${value}\n`,
  )
  return `${text('prelude')}${macros.join('')}typedef T Element;\n#line 1 "kernel.cu"\n${body}`
}

test('every source of kernels is compiled here', () => {
  expect(sources).toEqual(Object.keys(VARIANTS).sort())
})

describe.skipIf(!cudaSdk)(cudaSdk ? 'the real NVRTC' : `the real NVRTC (${sdkMissing})`, () => {
  let scratch: string
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'fovea-kernels-'))
    execFileSync('g++', [
      ...['-std=c++20', '-O1', '-I', path('../../native/cuda'), path('nvrtc.cc')],
      ...['-o', join(scratch, 'nvrtc'), '-ldl'],
    ])
  })
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  function compile(bodies: readonly string[]): { readonly bytes: number; readonly log: string }[] {
    const jobs = bodies.flatMap((body, i) => {
      const file = join(scratch, `${i}.cu`)
      writeFileSync(file, body)
      return architecturesOf(i).flatMap((architecture) => [file, architecture])
    })
    const folder = cudaSdk!.libraries.find((name) =>
      readdirSync(name).some((file) => file.startsWith('libnvrtc.so')),
    )
    const output = execFileSync(join(scratch, 'nvrtc'), [folder!, ...jobs], { encoding: 'utf8' })
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { bytes: number; log: string })
  }

  test.each(sources)('%s', (name) => {
    const variants = VARIANTS[name] ?? [{}]
    const results = compile(variants.map((defines) => assembled(text(name), defines)))
    expect(results).toHaveLength(variants.flatMap((_, i) => architecturesOf(i)).length)
    expect(results.map(({ log }) => log).filter((log) => log !== '')).toEqual([])
    expect(Math.min(...results.map(({ bytes }) => bytes))).toBeGreaterThan(0)
  })

  test('a broken kernel is refused, with the line', () => {
    const body = 'extern "C" __global__ void broken(float* x) { x[0] = y; }'
    for (const { log } of compile([assembled(body, {})])) {
      expect(log).toContain('kernel.cu(1)')
      expect(log).toContain('"y" is undefined')
    }
  })
})
