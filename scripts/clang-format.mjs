// Formats the C++ sources, or with --check says which are not formatted.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const files = ['native', 'bench/native'].flatMap((folder) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => /\.(cc|h)$/.test(name))
    .map((name) => join(folder, name)),
)
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i']
const { status } = spawnSync('npx', ['clang-format', ...mode, ...files], { stdio: 'inherit' })
process.exit(status ?? 1)
