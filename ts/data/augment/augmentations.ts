import type { Transform } from './transform.js'

/**
 * Shorter side 256, a random crop, flip and lighting ("ImageNet classification with deep convolutional neural
 * networks", Krizhevsky et al. 2012, section 4.1).
 */
export const ALEXNET_AUGMENTATION: readonly Transform[] = [
  { kind: 'resizeShorter', to: 256 },
  { kind: 'randomCrop' },
  { kind: 'horizontalFlip' },
  { kind: 'lighting' },
]

/** Shorter side from [256, 512] ("Very deep convolutional networks", Simonyan and Zisserman 2015, section 3.1). */
export const VGG_AUGMENTATION: readonly Transform[] = [
  { kind: 'resizeShorter', to: [256, 512] },
  { kind: 'randomCrop' },
  { kind: 'horizontalFlip' },
  { kind: 'lighting' },
]

/**
 * Parts of 8 % to 100 % of the area and distorted colours ("Going deeper with convolutions", Szegedy et al. 2015,
 * section 6; the amounts are TensorFlow's). For GoogLeNet and Inception.
 */
export const INCEPTION_AUGMENTATION: readonly Transform[] = [
  { kind: 'randomResizedCrop' },
  { kind: 'horizontalFlip' },
  { kind: 'inceptionColours' },
]

/** Shorter side from [256, 480] ("Deep residual learning", He et al. 2016, section 3.4). */
export const RESNET_AUGMENTATION: readonly Transform[] = [
  { kind: 'resizeShorter', to: [256, 480] },
  { kind: 'randomCrop' },
  { kind: 'horizontalFlip' },
  { kind: 'lighting' },
]

/** With which the published ResNets and DenseNets of fb.resnet.torch were trained. */
export const TORCH_AUGMENTATION: readonly Transform[] = [
  { kind: 'randomResizedCrop' },
  { kind: 'horizontalFlip' },
  { kind: 'colourJitter', brightness: 0.4, contrast: 0.4, saturation: 0.4 },
  { kind: 'lighting' },
]

/** With which torchvision's first weights of most networks were trained. */
export const TORCHVISION_AUGMENTATION: readonly Transform[] = [
  { kind: 'randomResizedCrop' },
  { kind: 'horizontalFlip' },
]

/** Padding of 4, a crop of the original size, flip ("Deep residual learning", He et al. 2016, section 4.2). */
export const CIFAR_AUGMENTATION: readonly Transform[] = [
  { kind: 'randomCrop', padding: 4 },
  { kind: 'horizontalFlip' },
]
