import { InvalidArgumentError } from '../ts/errors.js'
import { alexnet, alexnetOriginal, caffenet } from './alexnet.js'
import { densenet121, densenet161, densenet169, densenet201, densenet264, densenetBC } from './densenet.js'
import { googlenet, googlenetOriginal } from './googlenet.js'
import { inceptionV3 } from './inception.js'
import { lenet5, lenet5Modern } from './lenet.js'
import {
  resnet101,
  resnet110,
  resnet152,
  resnet18,
  resnet20,
  resnet32,
  resnet34,
  resnet44,
  resnet50,
  resnet56,
  type CifarResNetOptions,
} from './resnet.js'
import { nearest } from './spelling.js'
import { vgg11, vgg13, vgg16, vgg19, type VGGOptions } from './vgg.js'

export * from './alexnet.js'
export * from './densenet.js'
export * from './googlenet.js'
export * from './inception.js'
export * from './lenet.js'
export * from './resnet.js'
export * from './vgg.js'

type Vgg = typeof vgg11
type CifarResNet = typeof resnet20

const withBatchNorm =
  (vgg: Vgg) =>
  (options: Omit<VGGOptions, 'batchNorm'> = {}) =>
    vgg({ ...options, batchNorm: true })

const plain =
  (resnet: CifarResNet) =>
  (options: Pick<CifarResNetOptions, 'classes' | 'eps'> = {}) =>
    resnet({ ...options, residual: false })

const NETWORKS = {
  lenet5,
  lenet5_modern: lenet5Modern,
  alexnet,
  alexnet_original: alexnetOriginal,
  caffenet,
  vgg11,
  vgg13,
  vgg16,
  vgg19,
  vgg11_bn: withBatchNorm(vgg11),
  vgg13_bn: withBatchNorm(vgg13),
  vgg16_bn: withBatchNorm(vgg16),
  vgg19_bn: withBatchNorm(vgg19),
  googlenet,
  googlenet_original: googlenetOriginal,
  inception_v3: inceptionV3,
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnet152,
  resnet20,
  resnet32,
  resnet44,
  resnet56,
  resnet110,
  plain20: plain(resnet20),
  plain32: plain(resnet32),
  plain44: plain(resnet44),
  plain56: plain(resnet56),
  plain110: plain(resnet110),
  densenet121,
  densenet161,
  densenet169,
  densenet201,
  densenet264,
  densenet_bc: densenetBC,
} as const

type Networks = typeof NETWORKS

/** Name of a network: torchvision's where it has it. */
export type ModelName = keyof Networks

/** Options of a network. */
export type ModelOptions<Name extends ModelName> = NonNullable<Parameters<Networks[Name]>[0]>

/** The names of all networks. */
export const modelNames = Object.keys(NETWORKS) as readonly ModelName[]

export function isModelName(name: string): name is ModelName {
  return Object.hasOwn(NETWORKS, name)
}

/**
 * A name that is known only at run time, as one that {@link createModel} takes.
 * @throws InvalidArgumentError naming the networks that are spelt alike
 */
export function parseModelName(name: string): ModelName {
  if (isModelName(name)) return name
  const near = nearest(name, modelNames)
  throw new InvalidArgumentError(
    near.length > 0
      ? `no network '${name}'; did you mean ${near.join(', ')}?`
      : `no network '${name}'; there are ${modelNames.join(', ')}`,
    { subject: 'name', expected: (near.length > 0 ? near : modelNames).join(', '), got: name },
  )
}

/**
 * A network by its name, with fresh weights: `createModel('resnet50', { classes: 10 })`.
 *
 * @throws InvalidArgumentError for an unknown name, or an option that makes no sense
 */
export function createModel<Name extends ModelName>(
  name: Name,
  options?: ModelOptions<Name>,
): ReturnType<Networks[Name]> {
  const create = NETWORKS[parseModelName(name)] as (
    options?: ModelOptions<Name>,
  ) => ReturnType<Networks[Name]>
  return create(options)
}
