import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { fixtureImage, fixtureValue } from '../support/fixture-weights.js'

const bytes = (data: Float32Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

// Checksums of what fixture_weights.py gives.
describe('fixture weights are those of the Python original, bit for bit', () => {
  it.each([
    ['conv1.weight', [4, 3, 5, 5], 'conv', 0, 817858362],
    ['fc.weight', [7, 11], 'linear', 0, 2203892085],
    ['a.bias', [9], 'bias', 0, 45248088],
    ['layer1.0.bn1.weight', [9], 'bn_weight', 3, 2305973761],
    ['layer1.0.bn2.weight', [9], 'bn_weight_residual', 4294967295, 2784399724],
    ['x.running_var', [9], 'running_var', 0, 3210647897],
    ['x.running_mean', [9], 'running_mean', 0, 2569497304],
    ['größe.bias', [9], 'bn_bias', 0, 4049915764],
  ] as const)('%s %j', (name, shape, role, seed, checksum) => {
    expect(crc32(bytes(fixtureValue(name, shape, role, seed)))).toBe(checksum)
  })

  it.each([
    ['image', [2, 3, 70, 33], 0, 32, 3589250135],
    ['cifar', [4, 3, 32, 32], 0, 8, 4239659749],
    ['train', [1, 1, 5, 64], 7, 32, 3245947004],
  ] as const)('image %s %j', (name, shape, seed, block, checksum) => {
    expect(crc32(bytes(fixtureImage(name, shape, seed, block).data))).toBe(checksum)
  })
})
