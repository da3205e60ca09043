import {
  ALEXNET_AUGMENTATION,
  CIFAR_AUGMENTATION,
  INCEPTION_AUGMENTATION,
  RESNET_AUGMENTATION,
  TORCH_AUGMENTATION,
  VGG_AUGMENTATION,
} from '../ts/data/augment/augmentations.js'
import { InvalidArgumentError } from '../ts/errors.js'
import type { Recipe } from '../ts/train/recipe.js'
import type { ModelName } from './index.js'
import { nearest } from './spelling.js'

const crossEntropy = { kind: 'crossEntropy' } as const

/**
 * "ImageNet Classification with Deep Convolutional Neural Networks". The rate is divided by ten "when the validation
 * error rate stopped improving", "three times prior to termination".
 */
const alexnet: Recipe = {
  name: 'alexnet',
  source: 'Krizhevsky, Sutskever and Hinton 2012, sections 4 and 5',
  notes:
    'Weights start as N(0, 0.01); biases of conv2, conv4, conv5 and the hidden layers at 1, others at 0. Dropout of 0.5.',
  optimizer: { kind: 'sgd', lr: 0.01, momentum: 0.9, weightDecay: 5e-4 },
  schedule: { kind: 'plateau', reductions: 3 },
  epochs: 90,
  batch: 128,
  transforms: ALEXNET_AUGMENTATION,
  loss: crossEntropy,
  decay: 'weights',
}

/** "Very Deep Convolutional Networks for Large-Scale Image Recognition": AlexNet's way but for batch and scales. */
const vgg: Recipe = {
  name: 'vgg',
  source: 'Simonyan and Zisserman 2015, section 3.1',
  notes:
    'Weights start as N(0, 0.01), biases at 0; networks of more than 11 layers learn only from the layers of a ' +
    'trained vgg11, or with batch norm. Dropout of 0.5.',
  optimizer: { kind: 'sgd', lr: 0.01, momentum: 0.9, weightDecay: 5e-4 },
  schedule: { kind: 'plateau', reductions: 3 },
  epochs: 74,
  batch: 256,
  transforms: VGG_AUGMENTATION,
  loss: crossEntropy,
  decay: 'weights',
}

/**
 * "Going Deeper with Convolutions". The paper names no first rate; rate, its fall, batch and decay are those with
 * which Caffe's BVLC trained its GoogLeNet (`quick_solver.prototxt`).
 */
const googlenet: Recipe = {
  name: 'googlenet',
  source: 'Szegedy et al. 2014, sections 5 and 6; rates of the BVLC GoogLeNet',
  notes: 'Xavier weights, biases at 0.2. Dropout of 0.4, and of 0.7 in the auxiliary heads.',
  optimizer: { kind: 'sgd', lr: 0.01, momentum: 0.9, weightDecay: 2e-4 },
  schedule: { kind: 'polynomial', power: 0.5 },
  epochs: 60,
  batch: 32,
  transforms: INCEPTION_AUGMENTATION,
  loss: { kind: 'crossEntropy', auxiliaryWeight: 0.3 },
  decay: 'weights',
  average: 0.9999,
}

/**
 * "Rethinking the Inception Architecture for Computer Vision". The rate is meant for 50 replicas of 32 images; on
 * one device a rate of 0.045 / 50 times the number of batches is where to begin. Weight decay is TensorFlow's.
 */
const inceptionV3: Recipe = {
  name: 'inception_v3',
  source: 'Szegedy et al. 2015, sections 6 (auxiliary head), 7 (label smoothing) and 8',
  notes: 'Weights start as truncated N(0, 0.1). Evaluated with the moving average of the weights.',
  optimizer: {
    kind: 'rmsProp',
    convention: 'tensorflow',
    lr: 0.045,
    decay: 0.9,
    eps: 1,
    weightDecay: 4e-5,
  },
  schedule: { kind: 'exponential', factor: 0.94, every: 2 },
  epochs: 100,
  batch: 32,
  transforms: INCEPTION_AUGMENTATION,
  loss: { kind: 'crossEntropy', labelSmoothing: 0.1, auxiliaryWeight: 0.4 },
  decay: 'weights',
  clipNorm: 2,
  average: 0.9999,
}

/** "Deep Residual Learning for Image Recognition": 60e4 iterations; "we do not use dropout". */
const resnet: Recipe = {
  name: 'resnet',
  source: 'He, Zhang, Ren and Sun 2015, section 3.4',
  notes: 'He initialisation; no dropout.',
  optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9, weightDecay: 1e-4 },
  schedule: { kind: 'plateau' },
  epochs: 120,
  batch: 256,
  transforms: RESNET_AUGMENTATION,
  loss: crossEntropy,
}

/** "Densely Connected Convolutional Networks", on ImageNet. */
const densenet: Recipe = {
  name: 'densenet',
  source: 'Huang, Liu, van der Maaten and Weinberger 2017, section 4.2',
  notes: 'He initialisation; no dropout.',
  optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9, weightDecay: 1e-4, nesterov: true },
  schedule: { kind: 'step', milestones: [30, 60] },
  epochs: 90,
  batch: 256,
  transforms: TORCH_AUGMENTATION,
  loss: crossEntropy,
}

/** The same on CIFAR: divided by ten after half and three quarters of the epochs. */
const densenetCifar: Recipe = {
  ...densenet,
  name: 'densenet_cifar',
  notes: 'He initialisation; dropout of 0.2 only where images are not augmented.',
  schedule: { kind: 'step', milestones: [150, 225] },
  epochs: 300,
  batch: 64,
  transforms: CIFAR_AUGMENTATION,
}

/** "Deep Residual Learning", on CIFAR-10: 64,000 iterations, which are 164 epochs of 50,000 images. */
const resnetCifar: Recipe = {
  name: 'resnet_cifar',
  source: 'He, Zhang, Ren and Sun 2015, section 4.2',
  notes: 'He initialisation; no dropout.',
  optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9, weightDecay: 1e-4 },
  schedule: { kind: 'step', milestones: [32_000, 48_000], unit: 'steps' },
  epochs: 164,
  batch: 128,
  transforms: CIFAR_AUGMENTATION,
  loss: crossEntropy,
}

/** "We use 0.01 to warm up the training until the training error is below 80 % (about 400 iterations)." */
const resnet110: Recipe = {
  ...resnetCifar,
  name: 'resnet110',
  schedule: {
    kind: 'warmup',
    shape: 'constant',
    length: 400,
    from: 0.1,
    then: { kind: 'step', milestones: [32_000, 48_000], unit: 'steps' },
  },
}

/** A CIFAR ResNet in a short time: one cycle of the rate. */
const resnet20Fast: Recipe = {
  ...resnetCifar,
  name: 'resnet20_fast',
  source: 'Smith and Topin 2017, "Super-Convergence"; the augmentation of He et al. 2015, section 4.2',
  optimizer: { kind: 'sgd', lr: 0.2, momentum: 0.9, weightDecay: 5e-4, nesterov: true },
  schedule: { kind: 'oneCycle', rise: 0.3, start: 10, end: 1000 },
  epochs: 12,
}

/**
 * LeNet-5 with cross-entropy and momentum, in place of the stochastic Levenberg-Marquardt steps of the paper and its
 * 20 passes over the digits. Digits are shifted by up to a pixel, the smallest of section III.B's distortions.
 */
const lenet5: Recipe = {
  name: 'lenet5',
  source: "LeCun, Bottou, Bengio and Haffner 1998, section III; the optimizer is not the paper's",
  notes: 'Weights start as U(-2.4 / fan-in, 2.4 / fan-in), appendix A.',
  optimizer: { kind: 'sgd', lr: 0.02, momentum: 0.9, weightDecay: 5e-4 },
  schedule: { kind: 'oneCycle', rise: 0.2, start: 4 },
  epochs: 8,
  batch: 64,
  transforms: [{ kind: 'randomCrop', padding: 1 }],
  loss: crossEntropy,
}

/** LeNet-5 of today's tutorials. */
const lenet5Modern: Recipe = {
  ...lenet5,
  name: 'lenet5_modern',
  source: 'Smith and Topin 2017, "Super-Convergence"',
  notes: 'Weights start as U(-1 / sqrt(fan-in), 1 / sqrt(fan-in)).',
  optimizer: { kind: 'sgd', lr: 0.08, momentum: 0.9, weightDecay: 5e-4 },
  schedule: { kind: 'oneCycle', rise: 0.25 },
  epochs: 4,
  batch: 128,
}

/**
 * A trained network on classes of one's own: small steps that fade out, and parts of the image that are not too
 * small.
 */
const finetune: Recipe = {
  name: 'finetune',
  source: 'Kornblith, Shlens and Le 2019, "Do Better ImageNet Models Transfer Better?", section 3, shortened',
  notes: 'The last layers start anew; the others are frozen at first.',
  optimizer: { kind: 'sgd', lr: 0.01, momentum: 0.9, weightDecay: 1e-4, nesterov: true },
  schedule: { kind: 'warmup', length: 1, unit: 'epochs', then: { kind: 'cosine' } },
  epochs: 10,
  batch: 32,
  transforms: [{ kind: 'randomResizedCrop', scale: [0.35, 1] }, { kind: 'horizontalFlip' }],
  loss: { kind: 'crossEntropy', labelSmoothing: 0.1 },
}

const RECIPES = {
  lenet5,
  lenet5_modern: lenet5Modern,
  alexnet,
  vgg,
  googlenet,
  inception_v3: inceptionV3,
  resnet,
  resnet_cifar: resnetCifar,
  resnet110,
  resnet20_fast: resnet20Fast,
  densenet,
  densenet_cifar: densenetCifar,
  finetune,
} as const satisfies Record<string, Recipe>

/** Name of a recipe. */
export type RecipeName = keyof typeof RECIPES

/** The names of all recipes. */
export const RECIPE_NAMES = Object.keys(RECIPES) as readonly RecipeName[]

/** The recipe of each network: that of its paper. */
const OF_NETWORK: Readonly<Record<ModelName, RecipeName>> = {
  lenet5: 'lenet5',
  lenet5_modern: 'lenet5_modern',
  alexnet: 'alexnet',
  alexnet_original: 'alexnet',
  caffenet: 'alexnet',
  vgg11: 'vgg',
  vgg13: 'vgg',
  vgg16: 'vgg',
  vgg19: 'vgg',
  vgg11_bn: 'vgg',
  vgg13_bn: 'vgg',
  vgg16_bn: 'vgg',
  vgg19_bn: 'vgg',
  googlenet: 'googlenet',
  googlenet_original: 'googlenet',
  inception_v3: 'inception_v3',
  resnet18: 'resnet',
  resnet34: 'resnet',
  resnet50: 'resnet',
  resnet101: 'resnet',
  resnet152: 'resnet',
  resnet20: 'resnet_cifar',
  resnet32: 'resnet_cifar',
  resnet44: 'resnet_cifar',
  resnet56: 'resnet_cifar',
  resnet110: 'resnet110',
  plain20: 'resnet_cifar',
  plain32: 'resnet_cifar',
  plain44: 'resnet_cifar',
  plain56: 'resnet_cifar',
  plain110: 'resnet110',
  densenet121: 'densenet',
  densenet161: 'densenet',
  densenet169: 'densenet',
  densenet201: 'densenet',
  densenet264: 'densenet',
  densenet_bc: 'densenet_cifar',
}

/**
 * A recipe by its name.
 * @throws InvalidArgumentError naming those that are spelt alike
 */
export function recipeNamed(name: RecipeName | (string & {})): Recipe {
  if (Object.hasOwn(RECIPES, name)) return RECIPES[name as RecipeName]
  const near = nearest(name, RECIPE_NAMES)
  const expected = (near.length > 0 ? near : RECIPE_NAMES).join(', ')
  throw new InvalidArgumentError(
    near.length > 0
      ? `no recipe '${name}'; did you mean ${expected}?`
      : `no recipe '${name}'; there are ${expected}`,
    { subject: 'recipe', expected, got: name },
  )
}

/**
 * The recipe of a network: that of its paper, or another by name.
 * @throws InvalidArgumentError for an unknown name
 */
export function recipeFor(
  network: ModelName,
  name: RecipeName | (string & {}) = OF_NETWORK[network],
): Recipe {
  return recipeNamed(name)
}

/**
 * The recipe for going on with a trained network on other classes, or another by name.
 * @throws InvalidArgumentError for an unknown name
 */
export function fineTuningRecipe(name: RecipeName | (string & {}) = 'finetune'): Recipe {
  return recipeNamed(name)
}
