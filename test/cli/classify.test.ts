import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fovea, foveaJson, PHOTOGRAPHS, RESNET20, temporaryFolder, type JsonError } from './fovea.js'
import { writeImage } from './images.js'

interface Results {
  readonly model: string
  readonly results: readonly {
    readonly image: string
    readonly predictions?: readonly { index: number; label: string | null; probability: number }[]
    readonly error?: JsonError['error']
  }[]
}

const NETWORK = ['--model', 'resnet20', '--weights', RESNET20, '--device', 'cpu']
const chelsea = join(PHOTOGRAPHS, 'chelsea.png')
const redPanda = join(PHOTOGRAPHS, 'red_panda.png')
/** CIFAR-10's index of cats and dogs; it has no pandas. */
const [CAT, DOG] = [3, 5]

test('classify tells the likeliest classes of each image, in the order of the images', async () => {
  const { model, results } = await foveaJson<Results>('classify', redPanda, chelsea, ...NETWORK, '--top', '3')
  expect(model).toBe('resnet20')
  expect(results.map(({ image }) => image)).toEqual([redPanda, chelsea])
  expect(results.map(({ predictions }) => predictions![0]!.index)).toEqual([DOG, CAT])
  for (const { predictions } of results) {
    expect(predictions).toHaveLength(3)
    const probabilities = predictions!.map(({ probability }) => probability)
    expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a))
    expect(probabilities.every((p) => p >= 0 && p <= 1)).toBe(true)
  }
})

test('probabilities are a softmax, and do not depend on the batch', async () => {
  const images = [chelsea, redPanda, join(PHOTOGRAPHS, 'coffee.png')]
  const all = ['--top', '10']
  const together = await foveaJson<Results>('classify', ...images, ...NETWORK, ...all)
  for (const { predictions } of together.results)
    expect(predictions!.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 12)
  const apart = await foveaJson<Results>('classify', ...images, ...NETWORK, ...all, '--batch', '2')
  for (const [i, { predictions }] of together.results.entries())
    for (const [j, { index, probability }] of predictions!.slice(0, 2).entries()) {
      expect(apart.results[i]!.predictions![j]!.index).toBe(index)
      expect(apart.results[i]!.predictions![j]!.probability).toBeCloseTo(probability, 4)
    }
})

test('the table has index and probability', async () => {
  const { code, stdout } = await fovea(['classify', chelsea, ...NETWORK, '--top', '2'])
  expect(code).toBe(0)
  const lines = stdout.split('\n')
  expect(lines[0]).toBe(chelsea)
  expect(lines[1]).toMatch(/^ {2}3 +100\.0 %$|^ {2}3 +9\d\.\d %$/)
  expect(lines).toHaveLength(4)
})

test('a bad image among good ones is named; the others are classified', async () => {
  const folder = await temporaryFolder()
  const missing = join(folder, 'missing.png')
  const text = join(folder, 'text.png')
  await writeFile(text, 'not an image')
  const args = ['classify', missing, chelsea, text, redPanda, ...NETWORK]

  const plain = await fovea(args)
  expect(plain.code).toBe(1)
  expect(plain.stdout).toContain(chelsea)
  expect(plain.stdout).toContain(redPanda)
  expect(plain.stderr.split('\n').sort()).toEqual([
    '',
    `fovea: cannot read ${missing}: no such file`,
    `fovea: cannot read ${text}: not an image, or one of an unsupported format`,
  ])

  const { code, stdout } = await fovea([...args, '--json'])
  expect(code).toBe(1)
  const { results } = JSON.parse(stdout) as Results
  expect(results.map(({ image }) => image)).toEqual([missing, chelsea, text, redPanda])
  expect(results.map(({ error }) => error?.code)).toEqual(['IMAGE', undefined, 'IMAGE', undefined])
  expect(results[1]!.predictions![0]!.index).toBe(CAT)
  expect(results[3]!.predictions![0]!.index).toBe(DOG)
})

test('nothing but bad images', async () => {
  const { code, stdout, stderr } = await fovea(['classify', 'nothing.png', ...NETWORK])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe('fovea: cannot read nothing.png: no such file\n')
})

test('weights that are missing, damaged or of another network', async () => {
  const folder = await temporaryFolder()
  const image = await writeImage(folder, 'image')
  const damaged = join(folder, 'damaged.pth')
  await writeFile(damaged, 'damaged')
  const failure = async (...weights: string[]) => {
    const { code, stdout, stderr } = await fovea(['classify', image, ...weights])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^fovea: .*\n$/)
    return stderr
  }
  const missing = join(folder, 'missing.pth')
  expect(await failure('--model', 'resnet20', '--weights', missing)).toContain(missing)
  expect(await failure('--model', 'resnet20', '--weights', damaged)).toMatch(
    /damaged\.pth.*Weights are files of PyTorch/,
  )
  expect(await failure('--model', 'resnet32', '--weights', RESNET20)).toMatch(
    /does not fit resnet32.*Name with --model/,
  )
})

test('CUDA that is not there is no reason to compute elsewhere in silence', async () => {
  const { code, stdout } = await fovea([
    'classify',
    chelsea,
    ...NETWORK.slice(0, 4),
    '--device',
    'cuda',
    '--json',
  ])
  // A machine with a GPU may have it.
  if (code === 0) return
  expect(code).toBe(1)
  expect((JSON.parse(stdout) as JsonError).error).toMatchObject({ code: 'CUDA_UNAVAILABLE' })
})
