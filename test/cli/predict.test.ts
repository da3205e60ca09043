import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readNpy, writeNpy } from '../../ts/io/npy.js'
import { tensor } from '../../ts/tensor.js'
import { fixtureImage } from '../support/fixture-weights.js'
import { fovea, foveaJson, RESNET20, root, temporaryFolder } from './fovea.js'

interface Reference {
  readonly image: { readonly name: string; readonly shape: readonly number[]; readonly block: number }
  readonly logits: readonly (readonly number[])[]
}

const NETWORK = ['--model', 'resnet20', '--weights', RESNET20]

test.each([1, 3, 32])('logits are those of PyTorch, with batches of %s', async (batch) => {
  const folder = await temporaryFolder()
  const [input, output] = [join(folder, 'x.npy'), join(folder, 'y.npy')]
  const file = join(root, 'test/data/checkpoints/cifar/resnet20-logits.json')
  const { image, logits } = JSON.parse(await readFile(file, 'utf8')) as Reference
  await writeNpy(input, fixtureImage(image.name, image.shape, 0, image.block))
  const args = ['predict', ...NETWORK, '--input', input, '--output', output, '--batch', String(batch)]
  const { shape } = await foveaJson<{ shape: readonly number[] }>(...args)
  const result = await readNpy(output)
  expect(shape).toEqual([4, 10])
  expect(result.shape).toEqual([4, 10])
  expect((await readFile(output)).toString('latin1')).toContain("'descr': '<f4'")
  for (const [i, expected] of logits.flat().entries())
    expect(Math.abs(result.data[i]! - expected)).toBeLessThan(1e-4 * (1 + Math.abs(expected)))
})

test('the images may be of any size that the network takes', async () => {
  const folder = await temporaryFolder()
  const [input, output] = [join(folder, 'x.npy'), join(folder, 'y.npy')]
  await writeNpy(input, fixtureImage('wide', [2, 3, 40, 64]))
  const { code, stdout } = await fovea(['predict', ...NETWORK, '--input', input, '--output', output])
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${output}: logits [2, 10]\n` })
})

test.each([
  ['too few dimensions', [3, 32, 32], /expects images of shape \[N, 3, H, W\], got \[3, 32, 32\]/],
  ['other channels', [1, 1, 32, 32], /expects images of shape \[N, 3, H, W\], got \[1, 1, 32, 32\]/],
  ['no images', [0, 3, 32, 32], /expects images of shape \[N, 3, H, W\], got \[0, 3, 32, 32\]/],
])('%s', async (_, shape, message) => {
  const folder = await temporaryFolder()
  const [input, output] = [join(folder, 'x.npy'), join(folder, 'y.npy')]
  await writeNpy(input, tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape))
  const { code, stderr } = await fovea(['predict', ...NETWORK, '--input', input, '--output', output])
  expect(code).toBe(1)
  expect(stderr).toMatch(message)
  expect(stderr).toMatch(/^fovea: .*\n$/)
  await expect(readFile(output)).rejects.toThrow('ENOENT')
})

test('an input that is missing or no array', async () => {
  const folder = await temporaryFolder()
  const output = join(folder, 'y.npy')
  const text = join(folder, 'text.npy')
  await writeFile(text, 'not an array')
  const missing = await fovea(['predict', ...NETWORK, '--input', 'nothing.npy', '--output', output])
  expect(missing.code).toBe(1)
  // That it is not there says all.
  expect(missing.stderr).toMatch(/^fovea: .*nothing\.npy.*: no such file or directory, stat '\S*'\n$/)
  const wrong = await fovea(['predict', ...NETWORK, '--input', text, '--output', output])
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toMatch(/^fovea: .*text\.npy.*\n$/)
})

test('an output that cannot be written', async () => {
  const folder = await temporaryFolder()
  const input = join(folder, 'x.npy')
  await writeNpy(input, fixtureImage('x', [1, 3, 32, 32]))
  const output = join(folder, 'nowhere/y.npy')
  const { code, stderr } = await fovea(['predict', ...NETWORK, '--input', input, '--output', output])
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^fovea: .*nowhere\/y\.npy: cannot be written: ENOENT: no such file or directory, open '\S*'\n$/,
  )
})
