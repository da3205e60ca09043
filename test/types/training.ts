// Checked by `npm run types`, never run: each @ts-expect-error fails the check when the line below it compiles.
import { expectTypeOf } from 'vitest'
import {
  adam,
  adamW,
  augment,
  batchesAnEpoch,
  batchesFrom,
  CIFAR,
  CIFAR_AUGMENTATION,
  crossEntropy,
  googlenet,
  inceptionV3,
  loader,
  meanSquaredError,
  radialBasisLoss,
  RandomStream,
  resnet50,
  rmsProp,
  sgd,
  VGG_AUGMENTATION,
  type Dataset,
  type Device,
  type Image,
  type ImageItem,
  type InferenceProgram,
  type Loss,
  type Optimizer,
  type Tensor,
  type TrainingBatch,
  type TrainingProgram,
  type TrainingStep,
} from '../../ts/index.js'

declare function used(value: unknown): void

const loss = crossEntropy()
const optimizer = sgd({ lr: 0.1 })

export async function batches(dataset: Dataset, images: AsyncIterable<ImageItem>): Promise<void> {
  const options = { batch: 8, preprocessing: CIFAR, transforms: CIFAR_AUGMENTATION }
  expectTypeOf(batchesAnEpoch(dataset, options)).toBeNumber()
  for await (const { images, labels } of loader(dataset, options))
    expectTypeOf({ images, labels }).toEqualTypeOf<{ images: Tensor; labels: Int32Array }>()
  for await (const batch of batchesFrom(images, { ...options, classes: 10, dtype: 'u8' }))
    expectTypeOf(batch).toEqualTypeOf<TrainingBatch<'u8'>>()
  // @ts-expect-error a stream does not know its classes
  batchesFrom(images, options)
  expectTypeOf(await augment('a.jpg', VGG_AUGMENTATION, CIFAR, new RandomStream(1, 2))).toEqualTypeOf<Image>()
  // @ts-expect-error no such stage
  await augment('a.jpg', [{ kind: 'verticalFlip' }], CIFAR, new RandomStream(1, 2))
}

export async function kinds(device: Device): Promise<void> {
  const model = resnet50()
  expectTypeOf(await model.compile(device)).toEqualTypeOf<InferenceProgram>()
  expectTypeOf(await model.compile(device, { training: false })).toEqualTypeOf<InferenceProgram>()
  expectTypeOf(await model.compile(device, { training: true })).toEqualTypeOf<TrainingProgram>()
  expectTypeOf(await model.compile(device, { training: { loss, optimizer } })).toEqualTypeOf<TrainingStep>()
  expectTypeOf(await googlenet().compile(device, { training: true })).toEqualTypeOf<
    TrainingProgram<'logits' | 'aux1' | 'aux2'>
  >()
  // @ts-expect-error a training step does not predict
  used((await model.compile(device, { training: { loss, optimizer } })).predict)
  // @ts-expect-error an inference program has no backward half
  used((await model.compile(device)).forward)
}

export async function steps(device: Device): Promise<void> {
  const model = resnet50()
  await model.compile(device, {
    batch: 8,
    training: {
      loss,
      optimizer,
      freeze: ['layer1', /bn/],
      groups: [{ match: 'fc', lrScale: 10 }],
      clipNorm: 1,
    },
  })
  // @ts-expect-error neither a loss nor an optimizer
  await model.compile(device, { training: {} })
  // @ts-expect-error without a loss
  await model.compile(device, { training: { optimizer } })
  // @ts-expect-error no optimizer
  await model.compile(device, { training: { loss } })
  // @ts-expect-error a loss is made, not named
  await model.compile(device, { training: { loss: 'crossEntropy', optimizer } })
  // @ts-expect-error an optimizer is made, not named
  await model.compile(device, { training: { loss, optimizer: 'sgd' } })
  // @ts-expect-error a loss is not an optimizer
  await model.compile(device, { training: { loss: optimizer, optimizer: loss } })
  // @ts-expect-error misspelt option
  await model.compile(device, { training: { loss, optimizer, freze: ['layer1'] } })
  // @ts-expect-error a group says which parameters it means
  await model.compile(device, { training: { loss, optimizer, groups: [{ lrScale: 10 }] } })
  // @ts-expect-error misspelt option of a group
  await model.compile(device, { training: { loss, optimizer, groups: [{ match: 'fc', lrscale: 10 }] } })
  // @ts-expect-error decay acts on all or on weights
  await model.compile(device, { training: { loss, optimizer, decay: 'biases' } })
  // @ts-expect-error an option of steps, not of the halves by hand
  await model.compile(device, { training: true, clipNorm: 1 })
}

export async function results(device: Device, images: Tensor, labels: Int32Array): Promise<void> {
  using step = await resnet50().compile(device, { training: { loss, optimizer } })
  const result = await step.run(images, labels)
  expectTypeOf(result.loss).toEqualTypeOf<number>()
  expectTypeOf(result.gradientNorm).toEqualTypeOf<number | null>()
  expectTypeOf(result.logits).toEqualTypeOf<Tensor>()
  // @ts-expect-error labels are numbers of classes in an Int32Array
  await step.run(images, [...labels])
  // @ts-expect-error without labels
  await step.run(images)
}

export async function backward(device: Device, images: Tensor, gradient: Tensor): Promise<void> {
  using one = await resnet50().compile(device, { training: true })
  const { output, backward } = await one.forward(images)
  output.logits satisfies Tensor
  const { parameters, input } = await backward({ logits: gradient })
  expectTypeOf(parameters).toEqualTypeOf<Readonly<Record<string, Tensor>>>()
  expectTypeOf(input).toEqualTypeOf<Tensor | null>()
  // @ts-expect-error without a gradient
  await backward({})
  // @ts-expect-error misspelt output
  await backward({ logit: gradient })
  // @ts-expect-error an output that this network does not have
  await backward({ logits: gradient, aux1: gradient })
  // @ts-expect-error gradients go by name
  await backward(gradient)

  using google = await googlenet().compile(device, { training: true })
  const heads = await google.forward(images)
  heads.output.aux2 satisfies Tensor
  await heads.backward({ logits: gradient, aux1: gradient, aux2: gradient })
  // @ts-expect-error the auxiliary heads have gradients too
  await heads.backward({ logits: gradient })
  // @ts-expect-error both of them
  await heads.backward({ logits: gradient, aux1: gradient })
  // @ts-expect-error that is the head of Inception v3
  await heads.backward({ logits: gradient, aux1: gradient, aux2: gradient, aux: gradient })

  using inception = await inceptionV3().compile(device, { training: true })
  await (await inception.forward(images)).backward({ logits: gradient, aux: gradient })
  // @ts-expect-error the auxiliary head has a gradient too
  await (await inception.forward(images)).backward({ logits: gradient })

  using bare = await googlenet({ auxiliary: false }).compile(device, { training: true })
  await (await bare.forward(images)).backward({ logits: gradient })
  // @ts-expect-error built without them
  await (await bare.forward(images)).backward({ logits: gradient, aux1: gradient, aux2: gradient })
}

export function recipes(): void {
  expectTypeOf(crossEntropy({ labelSmoothing: 0.1, soft: true })).toEqualTypeOf<Loss>()
  expectTypeOf(meanSquaredError()).toEqualTypeOf<Loss>()
  expectTypeOf(radialBasisLoss({ j: 0.1 })).toEqualTypeOf<Loss>()
  expectTypeOf(adam({ lr: 1e-3 })).toEqualTypeOf<Optimizer>()
  adamW({ lr: 1e-3, weightDecay: 0.05, beta1: 0.9 })
  rmsProp({ lr: 0.045, eps: 1, convention: 'tensorflow' })
  // @ts-expect-error misspelt option
  crossEntropy({ labelsmoothing: 0.1 })
  // @ts-expect-error no such convention
  rmsProp({ lr: 0.045, convention: 'keras' })
  // @ts-expect-error an option of SGD
  adam({ lr: 1e-3, momentum: 0.9 })
  // @ts-expect-error the rate has no default
  adamW({ weightDecay: 0.05 })
}
