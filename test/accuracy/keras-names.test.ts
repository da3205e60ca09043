import { describe, expect, test } from 'vitest'
import { createModel } from '../../models/index.js'
import { KERAS_NAMES, type KerasNamed } from '../../models/keras-names.js'

const layersOf = (name: KerasNamed): Set<string> =>
  new Set(
    createModel(name, { bias: true }).parameters.map((parameter) => parameter.name.replace(/\.\w+$/, '')),
  )

describe.each(Object.keys(KERAS_NAMES) as KerasNamed[])("Keras' names of %s", (name) => {
  const entries = [...KERAS_NAMES[name]]

  test.each([
    ['today', /^conv\d.*_(?:conv|bn)$|^predictions$/],
    ['of files from Caffe', /^(?:res|bn)\d\w_branch|^conv1$|^bn_conv1$|^fc1000$/],
  ])('those %s name every layer once', (_, spelling) => {
    const own = entries.filter(([keras]) => spelling.test(keras)).map(([, layer]) => layer)
    // Caffe's letters end before the longest stages of the deeper networks do.
    if (name === 'resnet50' || spelling.test('predictions')) expect(new Set(own)).toEqual(layersOf(name))
    expect(new Set(own).size).toBe(own.length)
  })
})

test('a name of each kind', () => {
  const names = KERAS_NAMES.resnet50
  expect(names.get('res3d_branch2b')).toBe('layer2.3.conv2')
  expect(names.get('bn5a_branch1')).toBe('layer4.0.downsample.1')
  expect(names.get('conv4_block6_3_conv')).toBe('layer3.5.conv3')
  expect(names.get('conv2_block1_0_bn')).toBe('layer1.0.downsample.1')
})
