import { join } from 'node:path'
import { expect, test } from 'vitest'
import { node, root } from '../cli/fovea.js'

const DEMO = join(root, 'dist/examples/demo.js')

test('the demo names what is on its photographs; with everything in the cache it takes a few seconds', async () => {
  await node([DEMO])
  const start = performance.now()
  const { code, stdout } = await node([DEMO])
  const seconds = (performance.now() - start) / 1000
  expect(code).toBe(0)
  const first = (photograph: string) =>
    new RegExp(`^${photograph}\n +\\d+  (.*?) +([\\d.]+) %`, 'm').exec(stdout)?.slice(1)
  const [cat, catPercent] = first('chelsea.png')!
  expect(cat).toBe('Egyptian cat')
  expect(Math.abs(Number(catPercent) - 75.4)).toBeLessThan(5)
  const [coffee, coffeePercent] = first('coffee.png')!
  expect(coffee).toBe('espresso')
  expect(Math.abs(Number(coffeePercent) - 99.3)).toBeLessThan(5)
  const [panda, pandaPercent] = first('red_panda.png')!
  expect(panda).toBe('lesser panda')
  expect(Math.abs(Number(pandaPercent) - 98.5)).toBeLessThan(5)
  expect(seconds).toBeLessThan(5)
})
