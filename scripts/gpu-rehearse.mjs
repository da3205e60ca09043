// Runs the GPU suite from its bundle in a clean folder, without a GPU: on the simulated device (test/cudasim), or
// on the CPU. It shows that the suite runs; it says nothing of cuDNN, and nothing of speed.
//
//   node scripts/gpu-rehearse.mjs [--device simulated|cpu] [--tree] [STAGE...]
//
// --tree takes the bundle's unpacked tree, which saves the time of packing.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import typescript from 'typescript'

const print = (text) => process.stdout.write(`${text}\n`)
const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { device: { type: 'string', default: 'simulated' }, tree: { type: 'boolean', default: false } },
})
if (!['simulated', 'cpu'].includes(values.device))
  throw new Error(`--device is simulated or cpu, got ${values.device}`)

const clean = mkdtempSync(join(tmpdir(), 'fovea-gpu-rehearsal-'))
try {
  // As a GPU machine gets it: the suite's start from the repository, and what was carried beside it.
  mkdirSync(join(clean, 'gpu'))
  mkdirSync(join(clean, 'build/gpu'), { recursive: true })
  copyFileSync(join(root, 'gpu/run.sh'), join(clean, 'gpu/run.sh'))
  const packed = join(root, 'build/gpu')
  for (const file of existsSync(packed) ? readdirSync(packed) : [])
    if (file.endsWith('.tar.xz')) symlinkSync(join(packed, file), join(clean, 'build/gpu', file))
  const start = values.tree ? join(packed, 'tree/gpu/run.sh') : join(clean, 'gpu/run.sh')
  const out = process.env.OUT ?? join(root, 'out/gpu-rehearsal')
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const { PATH, FOVEA_GPU_PYTHON, FOVEA_GPU_SECONDS = '3000' } = process.env
  const { status } = spawnSync('sh', [start, ...positionals], {
    cwd: clean,
    stdio: 'inherit',
    env: {
      PATH,
      HOME: clean,
      OUT: out,
      FOVEA_GPU_SECONDS,
      FOVEA_GPU_HOME: join(clean, 'home'),
      FOVEA_GPU_REHEARSAL: values.device,
      ...(FOVEA_GPU_PYTHON ? { FOVEA_GPU_PYTHON } : {}),
      ...(values.device === 'simulated' ? { FOVEA_CUDA_PATH: await simulator() } : {}),
    },
  })
  print(`${values.device}: no GPU was used. Results are in ${out}.`)
  process.exitCode = status ?? 1
} finally {
  rmSync(clean, { recursive: true, force: true })
}

/** Builds the simulated device. @returns its folder */
async function simulator() {
  const source = join(root, 'test/cudasim/build.ts')
  const { outputText } = typescript.transpileModule(readFileSync(source, 'utf8'), {
    compilerOptions: { target: 'es2022', module: 'esnext' },
  })
  const module = join(clean, 'simulator.mjs')
  writeFileSync(module, outputText.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(source).href)))
  const { buildSimulator } = await import(pathToFileURL(module).href)
  return buildSimulator()
}
