import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadWeightsFile } from '../../models/pretrained.js'
import { loadBatch } from '../../ts/data/image.js'
import { predict } from '../../ts/evaluate/index.js'
import { Device } from '../../ts/runtime/device.js'
import { fovea, foveaJson, MAIN, PHOTOGRAPHS, RESNET20, temporaryFolder } from './fovea.js'
import { writeClasses, writeImage } from './images.js'

interface Evaluation {
  readonly top1: number
  readonly top5: number
  readonly correct: number
  readonly images: number
}

const NETWORK = ['--model', 'resnet20', '--weights', RESNET20]
const COUNTS = [2, 1, 3, 9, 1, 7, 5, 1, 2, 2]

/** For each image the place of the right class among all, computed another way than in the command. */
async function places(files: readonly { path: string; label: number }[]): Promise<number[]> {
  const { model, preprocessing } = await loadWeightsFile('resnet20', RESNET20)
  const device = await Device.open('cpu', { tuning: 'off' })
  const images = await loadBatch(
    files.map(({ path }) => path),
    preprocessing,
  )
  const { data } = await predict(model, images, { device })
  device.close()
  return files.map(({ label }, i) => {
    const logits = [...data.subarray(10 * i, 10 * (i + 1))]
    return [...logits].sort((a, b) => b - a).indexOf(logits[label]!)
  })
}

test('evaluate counts right answers of a folder', async () => {
  const folder = await temporaryFolder()
  const files = await writeClasses(folder, COUNTS)
  const expected = await places(files)
  const correct = expected.filter((place) => place === 0).length
  const top5 = expected.filter((place) => place < 5).length
  // The data must tell the two apart.
  expect(correct).toBeGreaterThan(0)
  expect(top5).toBeGreaterThan(correct)
  expect(top5).toBeLessThan(files.length)
  for (const batch of ['1', '7', '64']) {
    const evaluation = await foveaJson<Evaluation>('evaluate', ...NETWORK, '--data', folder, '--batch', batch)
    expect(evaluation).toMatchObject({
      images: files.length,
      correct,
      top1: correct / files.length,
      top5: top5 / files.length,
    })
  }
  const { code, stdout, stderr } = await fovea(['evaluate', ...NETWORK, '--data', folder])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain(`(${correct} of ${files.length})`)
  expect(stdout).toMatch(/\d images a second on /)
})

test('--limit takes the first images', async () => {
  const folder = await temporaryFolder()
  const files = await writeClasses(folder, COUNTS)
  const correct = (await places(files)).slice(0, 12).filter((place) => place === 0).length
  const evaluation = await foveaJson<Evaluation>('evaluate', ...NETWORK, '--data', folder, '--limit', '12')
  expect(evaluation).toMatchObject({ images: 12, correct })
})

test('many crops and an ensemble', async () => {
  const folder = await temporaryFolder()
  await writeClasses(folder, COUNTS)
  const ten = ['--crops', '10', '--weights', RESNET20]
  const evaluation = await foveaJson<Evaluation>('evaluate', ...NETWORK, '--data', folder, ...ten)
  expect(evaluation).toMatchObject({ images: 33, crops: 10, models: ['resnet20', 'resnet20'] })
})

test('the folders must be as many as the classes of the network', async () => {
  const folder = await temporaryFolder()
  await writeClasses(folder, [1, 1, 1])
  const { code, stderr } = await fovea(['evaluate', ...NETWORK, '--data', folder])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^fovea: .* has 3 classes, but resnet20 tells 10 apart.*\n$/)
})

test('a damaged image is named, and ends the evaluation', async () => {
  const folder = await temporaryFolder()
  await writeClasses(folder, COUNTS)
  const bad = join(folder, 'dog', 'bad.png')
  await copyFile(join(PHOTOGRAPHS, 'chelsea.png'), bad)
  await truncate(bad, 100_000)
  const plain = await fovea(['evaluate', ...NETWORK, '--data', folder])
  expect(plain).toMatchObject({ code: 1, stdout: '' })
  expect(plain.stderr).toMatch(/^fovea: cannot read .*\/dog\/bad\.png: .*\n$/)
  const { code, stdout } = await fovea(['evaluate', ...NETWORK, '--data', folder, '--json'])
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'IMAGE', subject: bad } })
})

test.each([
  ['no-such-folder', /no data set or folder "no-such-folder"; known data sets are /],
  [PHOTOGRAPHS, /holds no folders: images must lie in one folder a class/],
])('data that are not there: %s', async (data, message) => {
  const { code, stderr } = await fovea(['evaluate', ...NETWORK, '--data', data])
  expect(code).toBe(1)
  expect(stderr).toMatch(message)
})

test('an image of a class folder may be of any size', async () => {
  const folder = await temporaryFolder()
  await writeClasses(folder, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
  await copyFile(join(PHOTOGRAPHS, 'chelsea.png'), join(folder, 'cat', 'chelsea.png'))
  await writeImage(join(folder, 'truck'), 'another')
  expect((await foveaJson<Evaluation>('evaluate', ...NETWORK, '--data', folder)).images).toBe(12)
})

test('--folder says where the files of a known data set lie; grey digits are shown to an RGB network', async () => {
  const folder = await temporaryFolder()
  const idx = (shape: readonly number[], data: Uint8Array) => {
    const header = Buffer.alloc(4 + 4 * shape.length)
    header.writeUInt32BE(0x800 + shape.length, 0)
    shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i))
    return Buffer.concat([header, data])
  }
  await writeFile(join(folder, 't10k-images-idx3-ubyte'), idx([3, 28, 28], new Uint8Array(3 * 28 * 28)))
  await writeFile(join(folder, 't10k-labels-idx1-ubyte'), idx([3], Uint8Array.of(0, 1, 2)))
  const args = [...NETWORK, '--data', 'fashion-mnist', '--folder', folder]
  const { images, top5 } = await foveaJson<Evaluation>('evaluate', ...args)
  expect(images).toBe(3)
  // Three equal images of three classes.
  expect([0, 1 / 3, 2 / 3, 1]).toContain(top5)
})

test.skipIf(process.platform === 'win32')('Ctrl-C takes the work back', async () => {
  const folder = await temporaryFolder()
  await writeClasses(
    folder,
    Array.from({ length: 10 }, () => 40),
  )
  const child = spawn(process.execPath, [MAIN, 'evaluate', ...NETWORK, '--data', folder, '--crops', '144'])
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  setTimeout(() => child.kill('SIGINT'), 3000)
  const [code] = (await once(child, 'close')) as [number | null]
  expect({ code, stderr }).toEqual({ code: 130, stderr: 'fovea: the operation was aborted\n' })
})

test('evaluates in int8 what was calibrated on the images of a folder, and refuses to without', async () => {
  const folder = await temporaryFolder()
  await writeClasses(folder, COUNTS)
  const args = ['evaluate', ...NETWORK, '--data', folder, '--device', 'cpu', '--precision', 'int8']
  const { code, stderr } = await fovea(args)
  expect(code).not.toBe(0)
  expect(stderr).toContain('int8 needs a calibration')
  const calibrated = await fovea([...args, '--calibrate', folder, '--json'])
  if (calibrated.stdout.includes('AVX512_VNNI')) {
    console.log(`int8 skipped: ${calibrated.stdout}`)
    return
  }
  expect(JSON.parse(calibrated.stdout)).toMatchObject({ precision: 'int8', images: 33 })
})
