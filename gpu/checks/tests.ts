// Runs test files of the repository on the target.
//
//   tests.js CHECK FILE...       files below dist/test, without .test.js
import { fileURLToPath } from 'node:url'
import { startTests, type VitestRunner, type VitestRunnerConfig } from '@vitest/runner'
import type { File, Task, Test } from '@vitest/runner/types'
import { report } from '../support/row.js'
import { deviceName } from '../support/target.js'

const LONGEST = 300_000
/** What terminals take for a change of colour. */
const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g')
const [check = 'tests', ...names] = process.argv.slice(2)

// What test/support/device.ts opens.
process.env.FOVEA_TEST_DEVICE = deviceName

const root = fileURLToPath(new URL('../../test/', import.meta.url))

class Runner implements VitestRunner {
  readonly config: VitestRunnerConfig = {
    root,
    setupFiles: [],
    name: undefined,
    passWithNoTests: false,
    testNamePattern: undefined,
    allowOnly: true,
    sequence: { seed: 1, hooks: 'stack', setupFiles: 'list' },
    chaiConfig: undefined,
    maxConcurrency: 1,
    testTimeout: LONGEST,
    hookTimeout: LONGEST,
    retry: 0,
    includeTaskLocation: undefined,
    tags: [],
    tagsFilter: undefined,
    strictTags: false,
  }

  importFile(path: string): Promise<unknown> {
    return import(path)
  }
}

for (const name of names) {
  const begin = performance.now()
  const [file] = await startTests([`${root}${name}.test.js`], new Runner())
  reportFile(name, file!, (performance.now() - begin) / 1000)
}

function reportFile(name: string, file: File, seconds: number): void {
  const tests = testsIn(file)
  const failed = tests.filter(({ result }) => result?.state === 'fail')
  for (const test of failed)
    report({ check: `${check}: test`, name: `${name}: ${pathOf(test)}`, status: 'fail', note: errorOf(test) })
  const skipped = tests.filter(({ mode, result }) => mode === 'skip' || result?.state === 'skip')
  const passed = tests.filter(({ result }) => result?.state === 'pass').length
  // An error outside tests, as when a file cannot be loaded or a hook fails.
  const outside = file.result?.state === 'fail' && failed.length === 0 ? errorOf(file) : ''
  report({
    check,
    name,
    status:
      passed > 0 && failed.length === 0 && outside === ''
        ? 'pass'
        : passed === 0 && failed.length === 0 && skipped.length > 0 && outside === ''
          ? 'skip'
          : 'fail',
    values: {
      tests: tests.length,
      passed,
      failed: failed.length,
      skipped: skipped.length,
      seconds: Number(seconds.toFixed(1)),
    },
    note: [outside, ...skipped.map((test) => `skipped: ${pathOf(test)}${reasonOf(test)}`)]
      .filter((text) => text !== '')
      .join('; '),
  })
}

function testsIn(task: Task): Test[] {
  return task.type === 'test' ? [task] : task.tasks.flatMap(testsIn)
}

function pathOf(test: Test): string {
  const names = [test.name]
  for (let suite = test.suite; suite; suite = suite.suite) if (suite.name !== '') names.unshift(suite.name)
  return names.join(' > ')
}

function reasonOf(test: Test): string {
  const note = (test.result as { readonly note?: string } | undefined)?.note
  return note ? ` (${note})` : ''
}

function errorOf({ result }: Task): string {
  return (result?.errors ?? [])
    .map(({ message, diff }) => [message, diff].filter(Boolean).join('\n'))
    .join('; ')
    .replaceAll(COLOUR, '')
}

// Devices that a file left open would keep nothing running, but a hook that failed may leave timers behind.
process.exit(0)
