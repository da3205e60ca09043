// What the scripts of these tests share: the addon, and a program that takes seconds to run.
import { createRequire } from 'node:module'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const addon = createRequire(import.meta.url)(
  fileURLToPath(new URL('../../build/Release/fovea.node', import.meta.url)),
)

const shape = [2, 64, 56, 56]
const conv = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1], groups: 1, activation: 'none' }

/** A chain of convolutions: `layers` 400 takes a few seconds, 2 takes none. */
export function plan(layers) {
  const tensor = { dtype: 'f32', shape }
  return {
    buffers: [{ dtype: 'f32', shape: [64, 64, 3, 3] }, ...Array.from({ length: layers + 1 }, () => tensor)],
    instructions: Array.from({ length: layers }, (_, i) => ({
      op: 'convolution',
      inputs: [i + 1, 0, -1, -1],
      outputs: [i + 2],
      attributes: conv,
      path: `conv${i}`,
    })),
    phases: [{ name: 'forward', begin: 0, end: layers }],
    inputs: [{ name: 'x', buffer: 1 }],
    outputs: [{ name: 'y', buffer: layers + 1 }],
    parameters: [{ name: 'weight', buffer: 0, updated: false }],
  }
}

export const input = () => ({ x: new Float32Array(shape.reduce((a, b) => a * b)).fill(1) })

export function openStore(device) {
  const store = device.createStore()
  // One tap in the middle: every layer hands on what it gets.
  const weight = Float32Array.from({ length: 64 * 64 * 9 }, (_, i) =>
    i % 9 === 4 && Math.floor(i / 576) === Math.floor(i / 9) % 64 ? 1 : 0,
  )
  store.define('weight', 'f32', [64, 64, 3, 3], weight)
  return store
}

export async function open(layers, device = addon.openDevice('cpu', { threads: 2 })) {
  const store = openStore(device)
  const program = await device.compile(plan(layers), store)
  return { device, store, program, run: (token) => program.run(['forward'], input(), ['y'], token) }
}

/** Time for the executor to take up what was just queued; nothing is asserted of its length. */
export const begun = () => after(100)
