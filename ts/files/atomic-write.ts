import { randomBytes } from 'node:crypto'
import { link, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Puts a file in its place in one step: no reader, and no crash, ever sees half of it. */
export async function writeAtomically(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(path)
  try {
    const file = await open(temporary, 'wx')
    try {
      await write(file)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/**
 * Gives a file a second name, in one step in place of the file that has it: what is replaced as a whole, never written
 * to, need not be there twice.
 *
 * @returns false where the file system cannot do that; all is as it was then
 */
export async function linkAtomically(path: string, name: string): Promise<boolean> {
  const temporary = temporaryName(name)
  try {
    await link(path, temporary)
    await rename(temporary, name)
    await syncFolder(dirname(name))
    return true
  } catch {
    return false
  } finally {
    // It is left over where nothing was renamed, or both were names of the same file already.
    await rm(temporary, { force: true }).catch(() => undefined)
  }
}

/** A name beside `path` that no other process uses. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`
}

/** Makes the new name last through a crash, where folders can be synchronised at all. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
