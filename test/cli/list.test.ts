import { expect, test } from 'vitest'
import { modelNames } from '../../models/index.js'
import { WEIGHTS_NAMES } from '../../models/weights.js'
import { fovea, foveaJson } from './fovea.js'

interface List {
  readonly networks: readonly { name: string; parameters: number; weights: readonly string[] }[]
  readonly weights: readonly { name: string; model: string; licence: string }[]
  readonly datasets: readonly string[]
}

test('fovea list names every network and all weights', async () => {
  const { networks, weights, datasets } = await foveaJson<List>('list')
  expect(networks.map(({ name }) => name)).toEqual(modelNames)
  expect(weights.map(({ name }) => name)).toEqual(WEIGHTS_NAMES)
  expect(datasets).toContain('cifar10')
  const resnet50 = networks.find(({ name }) => name === 'resnet50')!
  expect(resnet50.parameters).toBe(25_557_032)
  expect(resnet50.weights).toContain('resnet50.keras_in1k')
})

test('and so does its table', async () => {
  const { stdout } = await fovea(['list'])
  expect(stdout).toMatch(/resnet50 +3 x 224 x 224 +1,000 +25,557,032\n/)
  expect(stdout).toMatch(/resnet20\.cifar10 +cifar10 +91\.73 % +BSD-2-Clause\n/)
  for (const name of [...modelNames, ...WEIGHTS_NAMES]) expect(stdout).toContain(`\n${name} `)
})
