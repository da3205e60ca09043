/** The bottlenecks of the stages that Keras and the paper call conv2_x to conv5_x. */
type Blocks = readonly [number, number, number, number]

/** Parts of a bottleneck: Keras' number of today, that of Caffe's files, and torchvision's convolution and norm. */
const PARTS = [
  ['0', '1', 'downsample.0', 'downsample.1'],
  ['1', '2a', 'conv1', 'bn1'],
  ['2', '2b', 'conv2', 'bn2'],
  ['3', '2c', 'conv3', 'bn3'],
] as const

/**
 * Keras' names of the layers of a ResNet, and torchvision's. Files until 2019 have the names of Caffe's
 * (`res2a_branch2a`, `bn2a_branch2a`), later ones those of Keras' own (`conv2_block1_1_conv`, `conv2_block1_1_bn`).
 */
function resnet(blocks: Blocks): ReadonlyMap<string, string> {
  const names = new Map([
    ['conv1', 'conv1'],
    ['bn_conv1', 'bn1'],
    ['fc1000', 'fc'],
    ['conv1_conv', 'conv1'],
    ['conv1_bn', 'bn1'],
    ['predictions', 'fc'],
  ])
  blocks.forEach((count, i) => {
    const stage = i + 2
    for (let block = 0; block < count; block++) {
      const letter = String.fromCharCode('a'.charCodeAt(0) + block)
      for (const [number, branch, conv, norm] of PARTS) {
        // Only the first block of a stage has a projection.
        if (branch === '1' && block > 0) continue
        const path = `layer${i + 1}.${block}`
        names.set(`res${stage}${letter}_branch${branch}`, `${path}.${conv}`)
        names.set(`bn${stage}${letter}_branch${branch}`, `${path}.${norm}`)
        names.set(`conv${stage}_block${block + 1}_${number}_conv`, `${path}.${conv}`)
        names.set(`conv${stage}_block${block + 1}_${number}_bn`, `${path}.${norm}`)
      }
    }
  })
  return names
}

/** Networks whose Keras files fit the named network. */
export const KERAS_NAMES = {
  resnet50: resnet([3, 4, 6, 3]),
  resnet101: resnet([3, 4, 23, 3]),
  resnet152: resnet([3, 8, 36, 3]),
} as const satisfies Record<string, ReadonlyMap<string, string>>

/** A network that has names in Keras. */
export type KerasNamed = keyof typeof KERAS_NAMES

export function isKerasNamed(name: string): name is KerasNamed {
  return Object.hasOwn(KERAS_NAMES, name)
}
