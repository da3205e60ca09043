// Checked by `npm run types`, never run: each @ts-expect-error fails the check when the line below it compiles.
import { expectTypeOf } from 'vitest'
import {
  alexnet,
  classify,
  createModel,
  Device,
  evaluate,
  googlenet,
  inceptionV3,
  nn,
  openDataset,
  pretrained,
  resnet50,
  sgd,
  type Model,
  type Tensor,
} from '../../ts/index.js'

declare function used(value: unknown): void

export async function devices(): Promise<void> {
  await Device.open('auto')
  await Device.open('cpu', { threads: 2 })
  await Device.open('cuda:1')
  // @ts-expect-error no such device
  await Device.open('gpu')
  // @ts-expect-error the number of a GPU is a number
  await Device.open('cuda:first')
  // @ts-expect-error misspelt option
  await Device.open('cpu', { thread: 2 })
  await Device.open('cuda', {
    cudaPath: '/opt/cuda/lib64',
    allowTf32: true,
    deterministic: true,
    workspaceLimit: 2 ** 28,
  })
  // @ts-expect-error folders are one text, with : between them
  await Device.open('cuda', { cudaPath: ['/opt/cuda/lib64'] })
  // @ts-expect-error is true or false
  await Device.open('cuda', { allowTf32: 'yes' })
  // @ts-expect-error is true or false
  await Device.open('cuda', { deterministic: 1 })
  // @ts-expect-error bytes are a number
  await Device.open('cuda', { workspaceLimit: '256 MiB' })
  // @ts-expect-error misspelt option
  await Device.open('cuda', { allowTF32: true })
}

export async function networks(device: Device): Promise<void> {
  createModel('resnet50', { classes: 10 })
  createModel('resnet50', { version: 'v1' })
  // @ts-expect-error misspelt network
  createModel('resnet51')
  // @ts-expect-error misspelt option
  createModel('resnet50', { clases: 10 })
  // @ts-expect-error an option of another network
  createModel('vgg16', { version: 'v1' })
  // @ts-expect-error misspelt option
  resnet50({ clases: 10 })
  // @ts-expect-error no such version
  resnet50({ version: 'v2' })
  // @ts-expect-error classes are a number
  alexnet({ classes: '10' })

  const model = resnet50()
  await model.compile(device, { batch: 8, size: [224, 320] })
  await model.compile(device, { precision: 'f16' })
  // @ts-expect-error no such type of activations
  await model.compile(device, { precision: 'tf32' })
  // @ts-expect-error of a device, not of a program
  await model.compile(device, { allowTf32: true })
  // @ts-expect-error misspelt option
  await model.compile(device, { bacth: 8 })
  // @ts-expect-error a device is opened, not named
  await model.compile('cpu')

  await pretrained('resnet50.keras_in1k')
  await openDataset('cifar10', { split: 'test' })
  // @ts-expect-error no such split
  await openDataset('cifar10', { split: 'validation' })
  sgd({ lr: 0.1, momentum: 0.9 })
  // @ts-expect-error the rate has no default
  sgd({ momentum: 0.9 })
}

export async function outputs(device: Device, images: Tensor): Promise<void> {
  const google = await googlenet().compile(device)
  const { logits } = await google.predict(images)
  logits satisfies Tensor
  // @ts-expect-error the auxiliary classifiers compute in training only
  used((await google.predict(images)).aux1)
  // @ts-expect-error and so does that of Inception v3
  used((await (await inceptionV3().compile(device)).predict(images)).aux)
  // @ts-expect-error no network has such an output
  used((await google.predict(images)).softmax)
}

export function outputNames(): void {
  expectTypeOf(googlenet).returns.toEqualTypeOf<Model<'logits', 'logits' | 'aux1' | 'aux2'>>()
  expectTypeOf(googlenet<false>).returns.toEqualTypeOf<Model>()
  expectTypeOf(inceptionV3).returns.toEqualTypeOf<Model<'logits', 'logits' | 'aux'>>()
  expectTypeOf(resnet50).returns.toEqualTypeOf<Model>()
}

export function channels(): void {
  const { batchNorm2d, conv2d, linear, maxPool2d, relu, sequential } = nn
  sequential(conv2d(3, 64), relu, conv2d(64, 64))
  sequential(conv2d(3, 64), batchNorm2d(64), relu, maxPool2d({ kernel: 2 }), conv2d(64, 128))
  const wide: number = 64 + Math.round(Math.random())
  // What is known only at run time is checked when the network is traced.
  sequential(conv2d(3, wide), relu, conv2d(64, 64))
  // @ts-expect-error 64 channels do not meet 128
  sequential(conv2d(3, 64), conv2d(128, 64))
  // @ts-expect-error not behind a function either
  sequential(conv2d(3, 64), relu, conv2d(128, 64))
  // @ts-expect-error nor behind pooling
  sequential(conv2d(3, 64), maxPool2d({ kernel: 2 }), conv2d(128, 64))
  // @ts-expect-error nor in a batch norm
  sequential(conv2d(3, 64), batchNorm2d(32))
  // @ts-expect-error nor in a nested sequence
  sequential(sequential(conv2d(3, 64), relu), conv2d(128, 64))
  // @ts-expect-error nor in a linear layer
  sequential(linear(84, 10), relu, linear(84, 10))
  // @ts-expect-error misspelt option
  conv2d(3, 64, { kernl: 3 })
}

export async function evaluation(device: Device): Promise<void> {
  const data = await openDataset('cifar10', { split: 'test' })
  const model = await pretrained('resnet20.cifar10')
  const { top1, top5 } = await evaluate([model, model.model], data, { device, crops: 144 })
  top1 satisfies number
  top5 satisfies number
  // @ts-expect-error crops are 1, 10 or 144
  await evaluate(model, data, { device, crops: 5 })
  // @ts-expect-error without a device
  await evaluate(model, data, {})
  await evaluate(googlenet(), data, { device })
  const [first] = await classify(model, ['a.png'], { device })
  // @ts-expect-error there may be no first one
  used(first.predictions)
  // @ts-expect-error misspelt option
  await classify(model, ['a.png'], { device, topp: 3 })
}
