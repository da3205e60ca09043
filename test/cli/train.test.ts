import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { openCheckpoint } from '../../ts/io/checkpoint.js'
import { fovea, foveaJson, MAIN, RESNET20, temporaryFolder, type JsonError } from './fovea.js'
import { writeClasses, writeImage } from './images.js'

interface Report {
  readonly network: string
  readonly recipe: string
  readonly reason: string
  readonly epoch: number
  readonly step: number
  readonly best: { readonly epoch: number; readonly top1?: number; readonly loss?: number }
  readonly epochs: readonly { readonly epoch: number; readonly validation: object | null }[]
  readonly skipped: readonly { readonly name: string; readonly message: string }[]
  readonly page: string
}

const NETWORK = ['--model', 'resnet20', '--batch', '8', '--threads', '1', '--workers', '1', '--device', 'cpu']

/** A folder of three classes, with folders of splits. */
async function splitData(train = 8): Promise<string> {
  const folder = await temporaryFolder()
  await writeClasses(join(folder, 'train'), [train, train, train])
  await writeClasses(join(folder, 'val'), [2, 2, 2])
  return folder
}

/** The arrays of a weights file, as bytes. */
async function bytesOf(file: string): Promise<string> {
  return (await readFile(file)).toString('base64')
}

test('train writes weights, metrics and a report', async () => {
  const data = await splitData()
  const out = join(await temporaryFolder(), 'run')
  const args = ['train', ...NETWORK, '--data', data, '--out', out]
  const { code, stdout, stderr } = await fovea([...args, '--epochs', '2', '--lr', '0.01'])
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stdout).toMatch(
    /^finished: 2 epochs in \d+ s\nbest +epoch [12], top-1 \d+\.\d\d %\nweights .*best\.saf/,
  )
  const lines = stderr.trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(/^resnet20 on .*: 269,267 parameters, 2 epochs of 3 steps, on oneDNN/)
  expect(lines[2]).toMatch(
    /^epoch 2 of 2 {2}loss \S+ {2}top-1 \S+ % {2}validation loss \S+ {2}validation top-1 \S+ % {2}top-5 100\.00 % {2}rate 0\.01 {2}\d+ images a second {2}\d+ s/,
  )
  const files = ['accuracy.svg', 'learning-rate.svg', 'loss.svg', 'report.html', 'metrics.jsonl']
  expect(await readdir(out)).toEqual(
    expect.arrayContaining([...files, 'best.safetensors', 'last.safetensors', 'state.safetensors']),
  )
  // What was trained is what the other commands take.
  const evaluation = await foveaJson<{ images: number; top1: number }>(
    ...['evaluate', '--model', 'resnet20', '--weights', join(out, 'best.safetensors'), '--data', data],
  )
  expect(evaluation.images).toBe(6)
  const best = /top-1 (\S+) %/.exec(stdout)![1]
  expect((100 * evaluation.top1).toFixed(2)).toBe(best)
  const image = await writeImage(out, 'anything')
  const shown = await fovea([
    'classify',
    image,
    '--model',
    'resnet20',
    '--weights',
    join(out, 'best.safetensors'),
  ])
  const named = [...shown.stdout.matchAll(/ +(\d) +(\w+) +[\d.]+ %$/gm)].map(([, ...cells]) =>
    cells.join(' '),
  )
  expect(named.sort()).toEqual(['0 airplane', '1 automobile', '2 bird'])
})

test('--json prints the report as one document, and nothing else', async () => {
  const out = await temporaryFolder()
  const data = await splitData()
  const args = [...NETWORK, '--data', data, '--out', out, '--epochs', '1', '--recipe', 'resnet20_fast']
  const { code, stdout, stderr } = await fovea(['train', ...args, '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const report = JSON.parse(stdout) as Report
  expect(report).toMatchObject({
    network: 'resnet20',
    recipe: 'resnet20_fast',
    reason: 'finished',
    epoch: 1,
    step: 0,
  })
  expect(report.epochs).toHaveLength(1)
  expect(report.page).toBe(join(out, 'report.html'))
})

test('a folder without splits is not validated on its own images; --validation names others', async () => {
  const data = await splitData()
  const run = async (...more: string[]) =>
    foveaJson<Report>(
      ...[
        'train',
        ...NETWORK,
        '--data',
        join(data, 'train'),
        '--epochs',
        '1',
        '--out',
        await temporaryFolder(),
      ],
      ...more,
    )
  const alone = await run()
  expect(alone.epochs[0]!.validation).toBeNull()
  expect(alone.best.loss).toBeGreaterThan(0)
  const validated = await run('--validation', join(data, 'val'))
  expect(validated.epochs[0]!.validation).toMatchObject({ top5: 1 })
})

test('grey digits in IDX files, to train and to validate', async () => {
  const folder = await temporaryFolder()
  const idx = (shape: readonly number[], data: Uint8Array) => {
    const header = Buffer.alloc(4 + 4 * shape.length)
    header.writeUInt32BE(0x800 + shape.length, 0)
    shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i))
    return Buffer.concat([header, data])
  }
  for (const [prefix, count] of [
    ['train', 32],
    ['t10k', 8],
  ] as const) {
    // prettier-ignore
    const pixels = Uint8Array.from({ length: count * 784 }, (_, i) => (i * 37) % 256)
    await writeFile(join(folder, `${prefix}-images-idx3-ubyte`), idx([count, 28, 28], pixels))
    await writeFile(join(folder, `${prefix}-labels-idx1-ubyte`), idx([count], pixels.slice(0, count).map((p) => p % 10))) // prettier-ignore
  }
  const out = await temporaryFolder()
  const args = ['--model', 'lenet5', '--data', 'mnist', '--folder', folder, '--out', out, '--device', 'cpu']
  const report = await foveaJson<Report>('train', ...args, '--epochs', '1', '--batch', '8')
  expect(report).toMatchObject({ network: 'lenet5', recipe: 'lenet5', reason: 'finished' })
})

test('the seed decides the weights, the number of workers does not', async () => {
  const data = await splitData()
  const run = async (...more: string[]) => {
    const out = await temporaryFolder()
    await foveaJson<Report>('train', ...NETWORK, '--data', data, '--epochs', '1', '--out', out, ...more)
    return bytesOf(join(out, 'last.safetensors'))
  }
  const first = await run('--seed', '3')
  expect(await run('--seed', '3', '--workers', '2')).toBe(first)
  expect(await run('--seed', '4')).not.toBe(first)
})

test.skipIf(process.platform === 'win32')(
  'Ctrl-C finishes the step, saves and ends with 130; --resume gives what an unbroken training gives',
  async () => {
    const data = await splitData(40)
    const folder = await temporaryFolder()
    const [whole, broken] = [join(folder, 'whole'), join(folder, 'broken')]
    const args = (out: string) => [
      'train',
      ...NETWORK,
      '--data',
      data,
      '--epochs',
      '2',
      '--lr',
      '0.01',
      '--out',
      out,
    ]
    await foveaJson<Report>(...args(whole))

    const child = spawn(process.execPath, [MAIN, ...args(broken)])
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const ended = once(child, 'close') as Promise<[number | null]>
    // In the middle of the first epoch.
    await firstStep(join(broken, 'metrics.jsonl'))
    child.kill('SIGINT')
    const [code] = await ended
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: expect.stringMatching(
        /\nfinishing the step and saving; Ctrl-C again ends at once\n$/,
      ) as string,
    })
    expect(stdout).toMatch(
      /^interrupted after epoch [01] and \d+ steps? of the next; --resume goes on there\n/,
    )

    const again = await fovea(args(broken))
    expect(again.code).toBe(2)
    expect(again.stderr).toMatch(/holds a training already/)
    const other = await fovea([...args(broken), '--resume', '--batch', '4'])
    expect(other.code).toBe(1)
    expect(other.stderr).toMatch(/batch was 8 and is 4\. Give the options that the training was begun with/)

    const resumed = await fovea([...args(broken), '--resume'])
    expect(resumed.code).toBe(0)
    expect(resumed.stderr).toMatch(/^going on after epoch [01] and \d+ steps? of the next$/m)
    expect(await bytesOf(join(broken, 'last.safetensors'))).toBe(
      await bytesOf(join(whole, 'last.safetensors')),
    )
  },
)

test.skipIf(process.platform === 'win32')('a second Ctrl-C ends at once', async () => {
  const data = await splitData(40)
  const out = join(await temporaryFolder(), 'run')
  const child = spawn(process.execPath, [
    MAIN,
    'train',
    ...NETWORK,
    '--batch',
    '96',
    '--data',
    data,
    '--out',
    out,
  ])
  const ended = once(child, 'close') as Promise<[number | null, string | null]>
  await firstStep(join(out, 'metrics.jsonl'))
  child.kill('SIGINT')
  await new Promise((resolve) =>
    child.stderr.on('data', (text) => /Ctrl-C again/.test(String(text)) && resolve(null)),
  )
  child.kill('SIGINT')
  const [code, signal] = await ended
  // Saving may have been quicker.
  expect(signal === 'SIGINT' || code === 130).toBe(true)
})

async function firstStep(metrics: string): Promise<void> {
  for (;;) {
    const text = await readFile(metrics, 'utf8').catch(() => '')
    if (text.includes('"step"')) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('a damaged image ends the training, or is skipped and reported', async () => {
  const data = await splitData()
  const bad = join(data, 'train', 'airplane', 'bad.png')
  await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red', noise: { type: 'gaussian', mean: 99, sigma: 30 } } }).png().toFile(bad) // prettier-ignore
  await truncate(bad, 2000)
  const args = async () => [
    'train',
    ...NETWORK,
    '--data',
    data,
    '--epochs',
    '1',
    '--out',
    await temporaryFolder(),
  ]
  const strict = await fovea(await args())
  expect(strict.code).toBe(1)
  expect(strict.stderr).toMatch(/\nfovea: cannot read .*bad\.png: /)
  const lenient = await fovea([...(await args()), '--on-corrupt', 'skip'])
  expect(lenient.code).toBe(0)
  expect(lenient.stderr).toMatch(/^skipped .*bad\.png: cannot read /m)
  const { skipped } = await foveaJson<Report>(...(await args()), '--on-corrupt', 'skip')
  expect(skipped).toEqual([{ name: bad, message: expect.stringContaining('cannot read') as string }])
})

test('a training that diverges says where, and leaves its curves', async () => {
  const data = await splitData()
  const out = await temporaryFolder()
  const args = ['train', ...NETWORK, '--data', data, '--epochs', '40', '--out', out, '--lr', '1e30']
  const { code, stderr } = await fovea(args)
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /fovea: the training of resnet20 diverged in epoch \d+, step \d+.*A smaller --lr may hold\n$/,
  )
  expect(await readdir(out)).toContain('report.html')
})

/** One array of a weights file. */
async function arrayIn(
  file: string,
  name: string,
): Promise<{ shape: readonly number[]; data: Float32Array }> {
  const checkpoint = await openCheckpoint(file)
  try {
    const tensor = [...checkpoint.tensors.values()].find((one) => one.name.endsWith(name))!
    return { shape: tensor.shape, data: await tensor.read() }
  } finally {
    await checkpoint.close()
  }
}

test('finetune keeps the trunk while it is frozen, and has a new head', async () => {
  const data = await splitData()
  const folder = await temporaryFolder()
  const tune = async (name: string, ...more: string[]) => {
    const out = join(folder, name)
    const args = [...NETWORK, '--weights', RESNET20, '--data', data, '--out', out, '--epochs', '1', ...more]
    const report = await foveaJson<Report>('finetune', ...args)
    expect(report).toMatchObject({ network: 'resnet20', recipe: 'finetune', reason: 'finished' })
    return join(out, 'last.safetensors')
  }
  const [frozen, free] = [await tune('frozen'), await tune('free', '--freeze-epochs', '0')]
  expect((await arrayIn(frozen, 'linear.weight')).shape).toEqual([3, 64])
  for (const name of ['layer2.0.conv1.weight', 'layer3.1.bn2.running_mean']) {
    const published = await arrayIn(RESNET20, name)
    expect(await arrayIn(frozen, name)).toEqual(published)
    expect((await arrayIn(free, name)).data).not.toEqual(published.data)
  }
})

test.each([
  [['--model', 'resnet21'], 2, /no network 'resnet21'; did you mean/],
  [['--model', 'resnet20', '--recipe', 'lenet'], 2, /no recipe 'lenet'; did you mean lenet5/],
  [['--model', 'resnet20', '--epochs', '0'], 2, /--epochs.*must be a positive integer/],
  [['--model', 'resnet20', '--lr', '-1'], 2, /--lr.*must be a positive number/],
  [['--model', 'resnet20', '--on-corrupt', 'ignore'], 2, /--on-corrupt.*Allowed choices are fail, skip/],
  [['--model', 'resnet20', '--data', 'no-such-folder'], 1, /no data set or folder "no-such-folder"/],
  [
    ['--model', 'resnet20', '--data', 'mnist', '--validation', 'x'],
    2,
    /mnist is validated on its own test images/,
  ],
])('train %j', async (args, code, message) => {
  const outcome = await fovea(['train', '--data', 'no-data', '--out', await temporaryFolder(), ...args])
  expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code, stdout: '' })
  expect(outcome.stderr).toMatch(message)
})

test('--out is asked for, and the classes of both sets must be the same', async () => {
  const data = await splitData()
  const { code, stderr } = await fovea(['train', '--model', 'resnet20', '--data', data])
  expect(code).toBe(2)
  expect(stderr).toMatch(/--out <folder>' not specified/)
  const other = await temporaryFolder()
  await writeClasses(other, [0, 1, 1, 1])
  const args = ['--model', 'resnet20', '--data', data, '--validation', other, '--out', join(data, 'out')]
  const outcome = await fovea(['train', ...args, '--json'])
  expect(outcome.code).toBe(1)
  expect((JSON.parse(outcome.stdout) as JsonError).error.message).toMatch(
    /classes to validate on must be those/,
  )
})

test('report draws the curves anew', async () => {
  const folder = await temporaryFolder()
  const line = { kind: 'step', epoch: 1, step: 1, steps: 2, loss: 1, accuracy: 0.5, lr: 0.1 }
  await writeFile(join(folder, 'metrics.jsonl'), `${JSON.stringify(line)}\n`)
  const { page, plots } = await foveaJson<{ page: string; plots: string[] }>('report', folder)
  expect(page).toBe(join(folder, 'report.html'))
  expect(plots).toHaveLength(3)
  const { code, stderr } = await fovea(['report', join(folder, 'none')])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^fovea: no metrics of a training run in /)
})
