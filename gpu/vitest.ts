// What test files import as 'vitest' where the whole of it is too heavy to carry: its runner and its expectations,
// without its server, its file transforms and its workers.
import {
  addCustomEqualityTesters,
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  ChaiStyleAssertions,
  customMatchers,
  getState,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
  type ExpectStatic,
} from '@vitest/expect'

export {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  it,
  onTestFailed,
  onTestFinished,
  test,
} from '@vitest/runner'

for (const plugin of [JestExtend, JestChaiExpect, ChaiStyleAssertions, JestAsymmetricMatchers])
  chai.use(plugin)

const shared = globalThis as unknown as Record<symbol, object>

function makeExpect(): ExpectStatic {
  const expect = ((value: unknown, message?: string) => chai.expect(value, message)) as ExpectStatic
  Object.assign(expect, chai.expect, shared[ASYMMETRIC_MATCHERS_OBJECT])
  Object.assign(expect, {
    getState: () => getState(expect),
    setState: (state: Parameters<typeof setState>[0]) => {
      setState(state, expect)
    },
    extend: (matchers: object) =>
      (chai.expect as unknown as { extend: (on: object, matchers: object) => void }).extend(expect, matchers),
    addEqualityTesters: addCustomEqualityTesters,
  })
  setState(
    {
      assertionCalls: 0,
      isExpectingAssertions: false,
      isExpectingAssertionsError: null,
      expectedAssertionsNumber: null,
      expectedAssertionsNumberErrorGen: null,
      currentTestName: '',
      testPath: '',
    },
    expect,
  )
  expect.extend(customMatchers)
  return expect
}

export const expect: ExpectStatic = makeExpect()
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, writable: true, configurable: true })
