import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { FoveaError } from '../../ts/errors.js'
import { openCheckpoint, type Checkpoint } from '../../ts/io/checkpoint.js'

const data = new URL('../data/checkpoints/', import.meta.url).pathname

export const odd = (name: string): string => join(data, 'odd', name)
export const cifar = (name: string): string => join(data, 'cifar', name)

export interface ExpectedTensor {
  shape: number[]
  dtype: string
  values: (number | 'inf' | '-inf' | 'nan')[]
}

/** What PyTorch, NumPy and safetensors found in the files. */
export const expected = JSON.parse(readFileSync(join(data, 'expected.json'), 'utf8')) as {
  tensors: Record<string, Record<string, ExpectedTensor>>
  cifar: Record<string, Record<string, { shape: number[]; dtype: string; sha256: string }>>
  pickles: Record<string, string>
  pickleValue: unknown
  bigIntegers: { pickles: string[]; values: string[] }
  exact: Record<string, string[]>
  npy: Record<string, { shape: number[]; values: number[] }>
}

/** A folder that is removed after the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-checkpoints-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export async function withCheckpoint<T>(
  path: string,
  use: (checkpoint: Checkpoint) => Promise<T>,
): Promise<T> {
  const checkpoint = await openCheckpoint(path)
  try {
    return await use(checkpoint)
  } finally {
    await checkpoint.close()
  }
}

/** Opens a file and reads every tensor. */
export function readAll(path: string): Promise<Map<string, Float32Array>> {
  return withCheckpoint(path, async ({ tensors }) => {
    const values = new Map<string, Float32Array>()
    for (const [name, tensor] of tensors) values.set(name, await tensor.read())
    return values
  })
}

/** The error that reading fails with. Anything but an error of the package fails the test. */
export async function failure(path: string): Promise<FoveaError> {
  return failureOf(readAll(path))
}

export async function failureOf(promise: Promise<unknown>): Promise<FoveaError> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof FoveaError) return error
  throw error
}

/** Writes bytes to a file of the folder. */
export function put(folder: string, name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}
