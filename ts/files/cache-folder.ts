import envPaths from 'env-paths'
import { resolve } from 'node:path'

export interface CacheOptions {
  /** Folder for fetched files, in place of `FOVEA_CACHE` and the user's cache folder. */
  readonly cache?: string | undefined
}

/** Where fetched files and measurements are kept: the option, else `FOVEA_CACHE`, else the user's cache folder. */
export function cacheFolder({ cache }: CacheOptions = {}): string {
  const named = cache ?? process.env.FOVEA_CACHE
  return named ? resolve(named) : envPaths('fovea', { suffix: '' }).cache
}
