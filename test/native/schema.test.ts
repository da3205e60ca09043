import { expect, test } from 'vitest'
import { schema } from '../../ts/graph/schema.js'
import { loadAddon } from '../../ts/runtime/native.js'

test('TypeScript and C++ declare the same operations and attributes', () => {
  expect(loadAddon().schema()).toEqual(schema)
})
