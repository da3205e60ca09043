import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, onTestFinished, test } from 'vitest'
import { RECIPE_NAMES, recipeNamed } from '../../models/recipes.js'
import { node, root } from '../cli/fovea.js'

interface Example {
  readonly code: string
  /** Whether it needs nothing but a CPU. */
  readonly runs: boolean
}

const text = await readFile(join(root, 'docs/training.md'), 'utf8')
const examples: readonly Example[] = [...text.matchAll(/(<!-- runs -->\s*)?```ts\n(.*?)```/gs)].map(
  ([, runs, code]) => ({ code: code!, runs: runs !== undefined }),
)

/** What the compiler says of programs of one file each, which import fovea from its sources. */
async function complaints(codes: readonly string[]): Promise<string[]> {
  // Within the repository, for the packages that the sources import.
  const folder = await mkdtemp(join(root, 'test/docs/.compiled-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const files = codes.map((_, i) => join(folder, `example-${i}.ts`))
  for (const [i, file] of files.entries()) await writeFile(file, codes[i]!)
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: object
  }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const paths = { fovea: [join(root, 'ts/index.ts')] }
  const program = ts.createProgram(files, { ...options, noEmit: true, paths })
  return files
    .flatMap((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file)))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

test('there are examples', () => {
  expect(examples.filter(({ runs }) => runs)).toHaveLength(4)
  expect(examples.filter(({ runs }) => !runs)).toHaveLength(3)
})

test('all examples of the page compile, and the check sees a wrong name', async () => {
  const wrong = examples[0]!.code.replace('resume: true', 'resum: true')
  const found = await complaints([...examples.map(({ code }) => code), wrong])
  expect(found).toEqual([expect.stringContaining("'resum'")])
})

test.each(examples.filter(({ runs }) => runs).map(({ code }) => code))('%#: runs', async (code) => {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const outcome = await node(['--input-type=module', '--eval', outputText])
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  expect(outcome.stdout).not.toMatch(/NaN|undefined/)
})

test('the table names every recipe, with its rate, epochs and batch', () => {
  const rows = [...text.matchAll(/^\| `(\w+)` .*\| \w+ ([\d.]+), [^|]*\| *(\d+), (\d+) *\|$/gm)]
  const expected = RECIPE_NAMES.map((name) => {
    const { optimizer, epochs, batch } = recipeNamed(name)
    return [name, ...[optimizer.lr, epochs, batch].map(String)]
  })
  expect(rows.map(([, ...cells]) => cells)).toEqual(expected)
})
