import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fovea, MAIN, node, root, type JsonError } from './fovea.js'

const COMMANDS = ['classify', 'predict', 'evaluate', 'summary', 'profile', 'bench', 'list', 'data']

test('the package names the compiled entry, which has a shebang', async () => {
  const { bin, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    bin: { fovea: string }
    version: string
  }
  expect(join(root, bin.fovea)).toBe(MAIN)
  expect((await readFile(MAIN, 'utf8')).split('\n')[0]).toBe('#!/usr/bin/env node')
  expect(await fovea(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test('help tells all commands and the exit codes', async () => {
  const { code, stdout, stderr } = await fovea(['--help'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  for (const command of COMMANDS) expect(stdout).toContain(`\n  ${command} `)
  expect(stdout).toContain('Exit codes: 0 ')
})

test.each(COMMANDS)('%s has help, and --json', async (command) => {
  const { code, stdout } = await fovea([command, '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain(`Usage: fovea ${command} `)
  expect(stdout).toContain('--json')
})

/** Native libraries and CommonJS modules that a script has loaded. */
const REPORT = `
import { createRequire } from 'node:module'
process.on('exit', () => {
  const { cache } = createRequire(process.execPath)
  const loaded = [...process.report.getReport().sharedObjects, ...Object.keys(cache)]
  process.stderr.write(JSON.stringify(loaded.filter((path) => /\\.node$|sharp|pacote/.test(path))))
})`

const report = `data:text/javascript,${encodeURIComponent(REPORT)}`

test.each([['--help'], ['classify', '--help'], ['summary', 'resnet18'], ['list']])(
  '%s %s loads no native code, image library or npm client',
  async (...args) => {
    const { code, stderr } = await node(['--import', report, MAIN, ...args])
    expect(code).toBe(0)
    expect(JSON.parse(stderr)).toEqual([])
  },
)

test('neither does the library', async () => {
  const library = JSON.stringify(join(root, 'dist/ts/index.js'))
  const imported = await node(['--import', report, '--input-type=module', '-e', `await import(${library})`])
  expect(imported).toMatchObject({ code: 0, stderr: '[]' })
  const required = await node([
    '-e',
    `const { resnet18, nn } = require(${library}); console.log(resnet18().name, typeof nn.conv2d)`,
  ])
  expect(required).toMatchObject({ code: 0, stdout: 'resnet18 function\n' })
})

test('the check sees what is loaded', async () => {
  const { stderr } = await node(['--import', report, '--input-type=module', '-e', `await import('sharp')`])
  expect((JSON.parse(stderr) as string[]).some((path) => path.endsWith('.node'))).toBe(true)
})

/** Time on the processor, which unlike the clock's hardly depends on what else the machine does. */
const CPU = `process.on('exit', () => {
  const { user, system } = process.cpuUsage()
  process.stderr.write(String((user + system) / 1000))
})`

test('help comes at once', async () => {
  const times: number[] = []
  for (let i = 0; i < 7; i++) {
    const { stderr } = await node([
      '--import',
      `data:text/javascript,${encodeURIComponent(CPU)}`,
      MAIN,
      '--help',
    ])
    times.push(Number(stderr))
  }
  expect(Math.min(...times)).toBeLessThan(150)
})

test.each([
  [['frobnicate'], /unknown command 'frobnicate'/],
  [['sumary', 'resnet50'], /Did you mean summary/],
  [['summary'], /missing required argument 'name'/],
  [['summary', 'resnet50', '--btach', '2'], /unknown option '--btach'.*Did you mean --batch/],
  [['summary', 'resnet50', '--batch', '0'], /--batch.*positive integer/],
  [['summary', 'resnet50', '--input', 'big'], /224 or 240x320/],
  [['summary', 'resnet5O'], /no network 'resnet5O'; did you mean resnet50/],
  [['summary', 'zzzzzzzzz'], /no network 'zzzzzzzzz'; there are lenet5, /],
  [['summary', 'lenet5', '--input', '28'], /lenet5 takes images of 32 x 32 only, got 28 x 28/],
  [['classify', 'cat.png', '--model', 'vgg16', '--device', 'gpu'], /auto, cpu, cuda or cuda:N/],
  [['classify', 'cat.png'], /--model or .*--weights/],
  [['classify', 'cat.png', '--model', 'lenet5_modern'], /no published weights of lenet5_modern.*--weights/],
  [['classify', 'cat.png', '--weights', 'resnet50.keras_in1'], /did you mean resnet50\.keras_in1k/],
  [['classify', 'cat.png', '--weights', MAIN], /--model must name the network/],
  [
    ['classify', 'cat.png', '--model', 'vgg16', '--weights', 'resnet50.tv_in1k'],
    /belong to resnet50, not to vgg16/,
  ],
  [['evaluate', '--model', 'resnet20', '--data', 'mnist', '--crops', '5'], /1, 10 or 144/],
  [['predict', '--model', 'resnet20', '--weights', 'x'], /required option '--input/],
  [['profile'], /missing required argument 'name'/],
  [['profile', 'resnet50', '--runs', '0'], /--runs.*positive integer/],
  [['profile', 'resnet50', '--precision', 'bf17'], /Allowed choices are f32, bf16, f16/],
  [['bench', 'resnet5O'], /no network 'resnet5O'; did you mean resnet50/],
  [['bench', 'lenet5', '--batch', '1,many'], /list of positive integers, such as 1,8/],
  [['data', 'imagenet'], /no data set 'imagenet'; there are mnist, fashion-mnist, cifar10/],
])('fovea %j is wrong usage', async (args, message) => {
  const plain = await fovea(args)
  expect(plain.code).toBe(2)
  expect(plain.stdout).toBe('')
  expect(plain.stderr).toMatch(/^fovea: .*\n$/)
  expect(plain.stderr).toMatch(message)
  const { code, stdout, stderr } = await fovea([...args, '--json'])
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
  expect((JSON.parse(stdout) as JsonError).error.message).toMatch(message)
})

test('without a command there is help, and an exit code', async () => {
  const { code, stderr } = await fovea([])
  expect(code).toBe(2)
  expect(stderr).toContain('Usage: fovea')
})

test('colours are for terminals only, even where CI is set', async () => {
  const { stdout } = await fovea(['summary', 'lenet5'], { CI: 'true' })
  expect(stdout).not.toContain('\u001b')
})

test('FOVEA_DEBUG shows where an error comes from', async () => {
  const args = ['summary', 'nothing']
  expect((await fovea(args)).stderr).not.toContain('    at ')
  expect((await fovea(args, { FOVEA_DEBUG: '1' })).stderr).toContain('    at ')
})
