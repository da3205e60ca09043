import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { malformed } from './checkpoint-error.js'
import { RandomAccessFile, type Region } from './random-access.js'
import { exportedLiteral } from './script-literal.js'

/** The files of one group of weights as one region, and how to close them. */
export interface Shards {
  readonly region: Region
  close(): Promise<void>
}

/** Opens the raw files of a group; nothing is read yet. */
export async function openRawShards(model: string, paths: readonly string[]): Promise<Shards> {
  const files: RandomAccessFile[] = []
  const close = async (): Promise<void> => {
    for (const file of files) await file.close()
  }
  try {
    for (const path of paths) files.push(await RandomAccessFile.open(join(dirname(model), path)))
    const regions = files.map((file) => file.region(0, file.size, 'its weights'))
    return { region: joined(regions), close }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * Reads the files of a group that are wrapped in scripts, each exporting base64. Such bytes cannot be read piecewise,
 * so they are held in memory, still quantised if they are.
 */
export async function readScriptShards(model: string, paths: readonly string[]): Promise<Shards> {
  const regions: Region[] = []
  for (const path of paths) {
    const script = await scriptOf(model, path)
    regions.push(inMemory(decodeBase64(script, exportedLiteral(script, await readText(script)))))
  }
  return { region: joined(regions), close: () => Promise.resolve() }
}

/** The whole of a text file. @throws CheckpointError when it is missing, or larger than any model's text */
export async function readText(path: string): Promise<string> {
  const file = await RandomAccessFile.open(path)
  try {
    if (file.size > MAX_TEXT_BYTES)
      throw malformed(path, 'absurd size', {
        expected: `at most ${MAX_TEXT_BYTES} bytes`,
        got: String(file.size),
      })
    return (await file.read(0, file.size, 'its text')).toString('utf8')
  } finally {
    await file.close()
  }
}

const MAX_TEXT_BYTES = 1 << 28

/** A manifest names the raw file; the script has the model's endings: `model.min.js`, `group1-shard1of6.min.js`. */
async function scriptOf(model: string, path: string): Promise<string> {
  const endings = basename(model).replace(/^[^.]*/, '')
  const raw = join(dirname(model), path)
  for (const candidate of [raw + endings, raw.replace(/\.bin$/, '') + endings])
    if ((await stat(candidate).catch(() => undefined))?.isFile()) return candidate
  return raw
}

function decodeBase64(path: string, value: unknown): Buffer {
  if (typeof value !== 'string' || value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
    throw malformed(path, 'the script is damaged', {
      expected: 'weights in base64',
      got: typeof value === 'string' ? `a text of ${value.length} characters` : typeof value,
    })
  return Buffer.from(value, 'base64')
}

function inMemory(bytes: Buffer): Region {
  return {
    byteLength: bytes.byteLength,
    readInto: (target, offset) => {
      target.set(bytes.subarray(offset, offset + target.byteLength))
      return Promise.resolve()
    },
  }
}

/** Regions one behind the other. */
function joined(regions: readonly Region[]): Region {
  return {
    byteLength: regions.reduce((sum, { byteLength }) => sum + byteLength, 0),
    readInto: async (target, offset) => {
      let start = 0
      for (const region of regions) {
        const end = start + region.byteLength
        const from = Math.max(start, offset)
        const to = Math.min(end, offset + target.byteLength)
        if (from < to) await region.readInto(target.subarray(from - offset, to - offset), from - start)
        start = end
      }
    },
  }
}
