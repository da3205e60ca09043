import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  int64,
  legacyStart,
  statePickle,
  tarStorage,
  tarTensor,
  writeParts,
  writeTar,
  writeZip,
} from './builders.js'
import { temporaryFolder, withCheckpoint } from './files.js'

const folder = temporaryFolder()
const MB = 2 ** 20
const COUNT = 150 * MB
const shape = [COUNT / 1024, 1024]
const hole = { hole: COUNT * 4 }

/** Sparse files of 600 MB in every format, with one large tensor. */
const writers: Record<string, (path: string) => void> = {
  'pytorch-zip': (path) =>
    writeZip(path, [
      { name: 'a/data.pkl', data: statePickle([{ name: 'w', shape }]) },
      { name: 'a/data/0', data: hole },
    ]),
  'pytorch-legacy': (path) =>
    writeParts(path, [
      legacyStart,
      statePickle([{ name: 'w', shape }], true),
      Buffer.from("(S'0'\nl."),
      int64(COUNT),
      hole,
    ]),
  'pytorch-tar': (path) =>
    writeTar(path, {
      pickle: [Buffer.from("(dS'w'\nP2\ns.")],
      tensors: [Buffer.from('I1\n.'), ...tarTensor(2, 1, shape, [1024, 1], 0)],
      storages: [Buffer.from('I1\n.'), ...tarStorage(1, COUNT, hole), Buffer.from('(l.')],
    }),
  safetensors: (path) => {
    const json = Buffer.from(JSON.stringify({ w: { dtype: 'F32', shape, data_offsets: [0, hole.hole] } }))
    writeParts(path, [int64(json.length), json, hole])
  },
}

/** All bytes that this process has read through the system, in any way. */
function bytesRead(): number {
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1])
}

describe.runIf(existsSync('/proc/self/io')).each(Object.entries(writers))(
  'a file of 600 MB: %s',
  (format, write) => {
    it('is opened without reading it, and a tensor is held in memory once', async () => {
      const path = join(folder, format)
      write(path)
      const before = bytesRead()
      await withCheckpoint(path, async (checkpoint) => {
        expect(bytesRead() - before).toBeLessThan(200_000)
        expect(checkpoint.format).toBe(format)
        const tensor = checkpoint.tensors.get('w')!
        expect(tensor.shape).toEqual(shape)
        const memory = process.memoryUsage().rss / MB
        const peak = process.resourceUsage().maxRSS / 1024
        const values = await tensor.read()
        expect(values.length).toBe(COUNT)
        expect(values.byteOffset).toBe(0)
        expect(values.buffer.byteLength).toBe(COUNT * 4)
        // A second copy would raise the peak by another 600 MB.
        const top = process.resourceUsage().maxRSS / 1024
        if (top > peak) expect(top - memory).toBeLessThan(700)
      })
      rmSync(path)
    })
  },
)
