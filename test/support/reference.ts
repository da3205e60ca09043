import { readFileSync } from 'node:fs'

/** What PyTorch computes in double precision; see `test/data/reference/generate.py`. */
export interface Reference {
  readonly network: string
  readonly seed: number
  readonly parameters: readonly (readonly [name: string, shape: readonly number[], role: string])[]
  readonly eval: {
    readonly image: { readonly name: string; readonly shape: readonly number[] }
    readonly logits: readonly (readonly number[])[]
  }
  readonly train?: TrainingReference
}

/** An array summed up: its l2 norm, and its dot product with `levels('probe/NAME')` over the root of its size. */
type Summary = readonly [l2: number, probe: number]

/** One training step with every dropout probability at 0. */
export interface TrainingReference {
  readonly image: { readonly name: string; readonly shape: readonly number[] }
  readonly labels: readonly number[]
  readonly aux_weight: number
  readonly logits: readonly (readonly number[])[]
  readonly aux: readonly (readonly (readonly number[])[])[]
  readonly gradients: Readonly<Record<string, Summary>>
  readonly input_gradient: Summary
  readonly statistics: Readonly<Record<string, Summary>>
}

/** The networks that have a reference file. */
export const TORCHVISION_NETWORKS = [
  'alexnet',
  'vgg11',
  'vgg13',
  'vgg16',
  'vgg19',
  'vgg11_bn',
  'vgg13_bn',
  'vgg16_bn',
  'vgg19_bn',
  'googlenet',
  'inception_v3',
  'resnet18',
  'resnet34',
  'resnet50',
  'resnet101',
  'resnet152',
  'densenet121',
  'densenet161',
  'densenet169',
  'densenet201',
] as const

/** Reads `test/data/reference/FOLDER/NETWORK.json`. */
export function readReference(network: string, folder = 'torchvision'): Reference {
  const file = new URL(`../data/reference/${folder}/${network}.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Reference
}

/** ||got - expected|| / ||expected||, which is NaN where any number is. */
export function relativeError(got: Float32Array, expected: readonly (readonly number[])[]): number {
  const flat = expected.flat()
  if (got.length !== flat.length) return Number.NaN
  let difference = 0
  let norm = 0
  flat.forEach((value, i) => {
    difference += (got[i]! - value) ** 2
    norm += value ** 2
  })
  return Math.sqrt(difference / norm)
}
