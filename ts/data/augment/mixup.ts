import { InvalidArgumentError } from '../../errors.js'
import type { RandomStream } from '../../random.js'
import { tensor, type Tensor } from '../../tensor.js'
import { permutation } from '../draws.js'

/**
 * "mixup: Beyond empirical risk minimization" (Zhang et al. 2018, section 2): each image of a batch is averaged with
 * another, and so are their labels.
 */
export interface Mixup {
  /** The image's own share is drawn from Beta(alpha, alpha), once a batch. The paper takes 0.2 for ImageNet, 1 for CIFAR. */
  readonly alpha: number
}

/** What was drawn for one batch. */
export interface Mixture {
  /** Share of an image itself; its partner has the rest. */
  readonly share: number
  /** For each image of the batch, the one that it is mixed with: a permutation. */
  readonly partners: Uint32Array
}

/** @throws InvalidArgumentError unless alpha is positive */
export function checkMixup({ alpha }: Mixup): void {
  if (!(alpha > 0 && Number.isFinite(alpha)))
    throw new InvalidArgumentError(`mixup.alpha must be a positive number, got ${alpha}`, {
      subject: 'alpha',
      expected: 'a positive number',
      got: String(alpha),
    })
}

export function drawMixture({ alpha }: Mixup, images: number, random: RandomStream): Mixture {
  return { share: beta(alpha, random), partners: permutation(images, random) }
}

/** Mixes equally long images that lie one after the other, in place. */
export function mixImages(data: Float32Array | Uint8Array, { share, partners }: Mixture): void {
  const length = data.length / partners.length
  // Bytes are cut off when stored, so that a half more rounds them.
  const rounding = data instanceof Uint8Array ? 0.5 : 0
  const done = new Uint8Array(partners.length)
  for (let start = 0; start < partners.length; start++) {
    if (done[start]) continue
    // Along the permutation's cycle each image is still whole when it is somebody's partner, but for the first.
    const first = data.slice(start * length, (start + 1) * length)
    for (let image = start; !done[image]; image = partners[image]!) {
      done[image] = 1
      const partner = partners[image]!
      const other = partner === start ? first : data.subarray(partner * length, (partner + 1) * length)
      const own = image * length
      for (let i = 0; i < length; i++)
        data[own + i] = share * data[own + i]! + (1 - share) * other[i]! + rounding
    }
  }
}

/** Class probabilities `[N, classes]` of a batch that is mixed so. */
export function mixLabels(labels: Int32Array, classes: number, { share, partners }: Mixture): Tensor {
  const soft = new Float32Array(labels.length * classes)
  for (const [i, label] of labels.entries()) {
    soft[i * classes + label]! += share
    soft[i * classes + labels[partners[i]!]!]! += 1 - share
  }
  return tensor(soft, [labels.length, classes])
}

function beta(alpha: number, random: RandomStream): number {
  // Of two gammas in logarithms: for a small alpha both are mostly too small for a number.
  const difference = logGamma(alpha, random) - logGamma(alpha, random)
  return 1 / (1 + Math.exp(-difference))
}

/** Logarithm of a number drawn from Gamma(shape, 1) ("A simple method for generating gamma variables", Marsaglia and Tsang 2000). */
function logGamma(shape: number, random: RandomStream): number {
  if (shape < 1) return logGamma(shape + 1, random) + Math.log(1 - random.uniform()) / shape
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.normal()
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v))
      return Math.log(d * v)
  }
}
