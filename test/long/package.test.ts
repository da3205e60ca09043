import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../cli/fovea.js'

const run = promisify(execFile)
const README = join(root, 'README.md')

/** The compilers that users have: the project's own, and the one written in Go. */
const COMPILERS = { 6: join(root, 'node_modules'), 7: join(root, '.cache/typescript-7/node_modules') }
const TYPESCRIPT_7 = '7.0.2'

/** What the documentation of the package promises, whatever the README shows. */
const EXAMPLE = `
import { classify, Device, googlenet, nn, pretrained, resnet50, type Tensor } from 'fovea'

const device = await Device.open('auto')
const model = resnet50({ classes: 1000 })
await model.load('resnet50-0676ba61.pth')
const net = await model.compile(device, { batch: 8 })
declare const images: Tensor
const { logits } = await net.predict(images)
const shape: readonly number[] = logits.shape

const results = await classify(await pretrained('resnet50.keras_in1k'), ['cat.png'], { device })
const name: string | undefined = results[0]?.predictions[0]?.label
nn.sequential(nn.conv2d(3, 64), nn.relu, nn.conv2d(64, 64))
// @ts-expect-error channels do not meet
nn.sequential(nn.conv2d(3, 64), nn.conv2d(128, 64))
// @ts-expect-error misspelt
googlenet({ clases: 10 })
console.log(shape, name)
`

const COMMONJS = `
import { resnet18, Device } from 'fovea'
export const open: Promise<Device> = Device.open('cpu')
console.log(resnet18().parameterCount)
`

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-package-'))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  await install(join(folder, filename))
  if (!existsSync(COMPILERS[7])) {
    const prefix = join(COMPILERS[7], '..')
    await mkdir(prefix, { recursive: true })
    await run('npm', ['install', '--prefix', prefix, '--no-save', `typescript@${TYPESCRIPT_7}`])
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Unpacks the package as npm would, beside links to the project's own copies of what it depends on. */
async function install(tarball: string): Promise<void> {
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, 'fovea'), { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', join(modules, 'fovea'), '--strip-components=1'])
  for (const name of await readdir(join(root, 'node_modules')))
    if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(modules, name))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }))
}

/** The code of a page, each block a module of its own. */
async function codeOf(page: string): Promise<string[]> {
  if (!existsSync(page)) return []
  const blocks = [...(await readFile(page, 'utf8')).matchAll(/^```ts\n(.*?)^```$/gms)].map(
    (match) => match[1]!,
  )
  expect(blocks, `${page} shows TypeScript`).not.toEqual([])
  return blocks
}

test.each(['6', '7'] as const)('TypeScript %s compiles what the README shows', async (version) => {
  const blocks = [EXAMPLE, ...(await codeOf(README))]
  for (const [i, code] of blocks.entries())
    await writeFile(join(folder, `example-${i}.ts`), `${code}\nexport {}\n`)
  await writeFile(join(folder, 'commonjs.cts'), COMMONJS)
  const options = { module: 'nodenext', target: 'es2022', strict: true, noEmit: true }
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: { ...options, exactOptionalPropertyTypes: true, skipLibCheck: false },
      include: ['*.ts', '*.cts'],
    }),
  )
  const { bin, version: installed } = JSON.parse(
    await readFile(join(COMPILERS[version], 'typescript/package.json'), 'utf8'),
  ) as { bin: { tsc: string }; version: string }
  expect(installed).toMatch(new RegExp(`^${version}\\.`))
  const tsc = join(COMPILERS[version], 'typescript', bin.tsc)
  const compiled = await run(process.execPath, [tsc, '-p', folder]).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: unknown) => error as { readonly code: number; readonly stdout: string },
  )
  expect(compiled.stdout).toBe('')
  expect(compiled.code).toBe(0)
})

test('the package holds what runs, and nothing that only builds or tests it', async () => {
  const entries = await readdir(join(folder, 'node_modules/fovea'), { recursive: true })
  expect(entries).toContain('dist/ts/index.js')
  expect(entries).toContain('dist/ts/index.d.ts')
  expect(entries).toContain('dist/ts/cli/main.js')
  expect(entries).toContain('CMakeLists.txt')
  expect(entries.filter((entry) => /^(test|bench|node_modules|\.cache|build)\b/.test(entry))).toEqual([])
})

test('the command line runs from the package', async () => {
  const main = join(folder, 'node_modules/fovea/dist/ts/cli/main.js')
  const { stdout } = await run(process.execPath, [main, 'summary', 'lenet5', '--json'])
  expect(JSON.parse(stdout)).toMatchObject({ parameters: 60_850 })
})

test('it can be imported and required', async () => {
  const imported = `import { resnet18 } from 'fovea'; console.log(resnet18().parameterCount)`
  const esm = await run(process.execPath, ['--input-type=module', '-e', imported], { cwd: folder })
  expect(esm.stdout).toBe('11689512\n')
  const required = `console.log(require('fovea').resnet18().parameterCount)`
  const cjs = await run(process.execPath, ['--input-type=commonjs', '-e', required], { cwd: folder })
  expect(cjs.stdout).toBe('11689512\n')
})
