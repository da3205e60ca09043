// What cuDNN says of the GPU, in cuDNN's own JSON: with it the real library checks graphs on machines without a GPU.
//
//   device-properties.js FILE
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cudaFolders } from '../../ts/runtime/cuda-folders.js'
import { report } from '../support/row.js'

const [file] = process.argv.slice(2)
const program = fileURLToPath(new URL('../../../bin/device-properties', import.meta.url))
const row = { check: 'device.json', name: 'cuDNN device properties' }
const folders = (await cudaFolders()).map(({ path, driver }) => `${driver ? '+' : '-'}${path}`)
try {
  const json = execFileSync(program, ['0', ...folders], { encoding: 'utf8' })
  JSON.parse(json)
  writeFileSync(file!, json)
  report({ ...row, status: 'pass', values: { bytes: json.length } })
} catch (error) {
  const {
    stderr = '',
    message,
    status,
  } = error as Error & { readonly stderr?: string; readonly status?: number }
  // 3: this cuDNN is older than the descriptor.
  report({ ...row, status: status === 3 ? 'skip' : 'fail', note: stderr.trim() || message })
}
