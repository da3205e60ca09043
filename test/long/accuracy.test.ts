import { expect, test } from 'vitest'
import { foveaJson, root } from '../cli/fovea.js'

interface Evaluation {
  readonly images: number
  readonly correct: number
  readonly top1: number
  readonly top5: number
}

const file = (name: string) => `${root}test/data/checkpoints/cifar/${name}`

// What PyTorch counts on the 10,000 test images.
test.each([
  ['resnet20', 'resnet20-12fca82f.th', 9_173],
  ['resnet20', 'resnet20-zip.pth', 9_173],
  ['resnet20', 'resnet20.safetensors', 9_173],
  ['resnet32', 'resnet32-d509ac18.th', 9_263],
])('%s from %s is right on %s images of CIFAR-10', async (model, weights, right) => {
  const args = ['--model', model, '--weights', file(weights), '--data', 'cifar10', '--batch', '100']
  const { images, correct, top1, top5 } = await foveaJson<Evaluation>('evaluate', ...args)
  expect(images).toBe(10_000)
  expect(Math.abs(correct - right)).toBeLessThanOrEqual(2)
  expect(top1).toBe(correct / images)
  expect(top5).toBeGreaterThan(0.99)
})

test('LeNet-5 of tensorspace is right on 9,866 images of MNIST', async () => {
  const args = ['--weights', 'lenet5.tensorspace', '--data', 'mnist']
  const { images, correct } = await foveaJson<Evaluation>('evaluate', ...args)
  expect({ images, correct }).toEqual({ images: 10_000, correct: 9_866 })
})
