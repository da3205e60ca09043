import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createModel } from '../../models/index.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-save-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('a saved model loads into a fresh one, weight for weight', async () => {
  const path = join(folder, 'weights.safetensors')
  const saved = createModel('resnet20')
  saved.weights.seed = 7
  await saved.save(path)
  const loaded = createModel('resnet20')
  const report = await loaded.load(path)
  expect(report).toMatchObject({ missing: [], unexpected: [], mismatched: [] })
  expect(report.loaded).toEqual(saved.parameters.map(({ name }) => name))
  expect(await loaded.weights.get('layer2.0.conv1.weight')).toEqual(
    await saved.weights.get('layer2.0.conv1.weight'),
  )
})

test('a checkpoint of another class count is refused with the shapes, and changes nothing', async () => {
  const path = join(folder, 'weights.safetensors')
  await createModel('resnet20', { classes: 7 }).save(path)
  const model = createModel('resnet20')
  const before = await model.weights.get('conv1.weight')
  await expect(model.load(path)).rejects.toThrow(
    'does not fit resnet20: 2 of another shape: linear.weight (expected [10, 64], got [7, 64]), linear.bias (expected [10], got [7])',
  )
  expect(await model.weights.get('conv1.weight')).toEqual(before)
})

test('without strict, what fits is loaded and the rest reported', async () => {
  const path = join(folder, 'weights.safetensors')
  await createModel('resnet20', { classes: 7 }).save(path)
  const report = await createModel('resnet32').load(path, { strict: false })
  expect(report.mismatched.map(({ name }) => name)).toEqual(['linear.weight', 'linear.bias'])
  expect(report.missing).toContain('layer1.3.conv1.weight')
  expect(report.loaded).toContain('conv1.weight')
})
