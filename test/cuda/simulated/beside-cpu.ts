import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, type Device } from '../../native/addon.js'
import { relativeL2 } from '../../support/gradients.js'
import { openSimulated } from './device.js'
import { compute, type Case, type Free } from './one-operation.js'

/** Tests operations in each type against the CPU in f32 on the same numbers, to a relative error. */
export function holdBesideCpu(cases: readonly Case[], bounds: Readonly<Record<Free, number>>): void {
  const cpu = addon.openDevice('cpu', { threads: 1 })
  afterAll(() => cpu.close())

  describe.each(['f32', 'f16', 'bf16'] as const)('%s', (dtype) => {
    let device: Device
    beforeAll(async () => {
      device = await openSimulated()
    }, 900_000)
    afterAll(() => device.close())

    test.each(cases.map((one, i) => [`${one.op} (${i})`, one] as const))('%s', async (_, one) => {
      const [expected, got] = [await compute(cpu, one, 'f32'), await compute(device, one, dtype)]
      expect(got).toHaveLength(one.outputs.length)
      got.forEach((values, i) => {
        expect(expected[i]!.some((value) => value !== 0)).toBe(one.op !== 'clear')
        expect(relativeL2(values, expected[i]!)).toBeLessThan(bounds[dtype])
      })
    })
  })
}
