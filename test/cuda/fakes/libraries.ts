import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, onTestFinished } from 'vitest'
import { node, root, type Outcome } from '../../cli/fovea.js'

const run = promisify(execFile)

/** Definitions in C that stand in the place of functions which do nothing and return 0. */
export type Definitions = Readonly<Record<string, string>>

interface Fake {
  readonly definitions?: Definitions
}
interface FakeDriver extends Fake {
  readonly version?: number
  readonly free?: readonly number[]
}
interface FakeCudnn extends Fake {
  readonly version?: number
  readonly cudart?: number
}
interface FakeRuntime extends Fake {
  readonly gpus?: number
}

const symbols = await readFile(join(root, 'native/cuda/symbols.h'), 'utf8')

/** All functions of one table of native/cuda/symbols.h. */
function table(name: string): string[] {
  const text = new RegExp(`#define FOVEA_CUDA_${name}\\(X\\)((?:.*\\\\\\n)*.*)`).exec(symbols)?.[1] ?? ''
  const names = [...text.matchAll(/X\((\w+)\)/g)].map((match) => match[1]!)
  if (names.length === 0) throw new Error(`native/cuda/symbols.h has no table ${name}`)
  return names
}

const RUNTIME_NAMES = {
  cudaGetErrorName: 'const char* cudaGetErrorName(int e) { return "cudaFake"; }',
  cudaGetErrorString: 'const char* cudaGetErrorString(int e) { return "a fake failure"; }',
}

/** Built once a process; tests get copies. */
let complete: Promise<string> | null = null
afterAll(async () => {
  if (complete) await rm(await complete, { recursive: true })
})

/** The set of libraries of a working installation, for one GPU, from which a test takes or changes what it is about. */
export class FakeCuda {
  private constructor(readonly folder: string) {}

  /** An empty folder, removed after the test. */
  static async empty(): Promise<FakeCuda> {
    const folder = await mkdtemp(join(tmpdir(), 'fovea-cuda-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    return new FakeCuda(folder)
  }

  /** Everything that opening a device loads. */
  static async complete(): Promise<FakeCuda> {
    const fake = await FakeCuda.empty()
    const built = await (complete ??= FakeCuda.build())
    await cp(built, fake.folder, { recursive: true })
    return fake
  }

  private static async build(): Promise<string> {
    const fake = new FakeCuda(await mkdtemp(join(tmpdir(), 'fovea-cuda-complete-')))
    await fake.driver()
    await fake.cudnn()
    await fake.runtime()
    await fake.library('libcublasLt.so.13', [])
    await fake.library('libcublas.so.13', table('CUBLAS'), {
      cublasGetStatusString: 'const char* cublasGetStatusString(int e) { return "fake"; }',
    })
    await fake.library('libnvrtc.so.13', table('NVRTC'), {
      nvrtcVersion: 'int nvrtcVersion(int* major, int* minor) { *major = 13, *minor = 0; return 0; }',
    })
    await fake.library('libnvrtc-builtins.so.13.0', [])
    return fake.folder
  }

  /** The driver of a machine with GPUs that have so many bytes free, of 1 GiB. */
  async driver({ version = 13000, free = [1 << 20], definitions = {} }: FakeDriver = {}): Promise<void> {
    await this.library('libcuda.so.1', table('DRIVER'), {
      cuDriverGetVersion: `int cuDriverGetVersion(int* v) { *v = ${version}; return 0; }`,
      cuDeviceGetCount: `int cuDeviceGetCount(int* n) { *n = ${free.length}; return 0; }`,
      cuDeviceGet: 'int cuDeviceGet(int* d, int i) { *d = i; return 0; }',
      cuDeviceGetName:
        'int snprintf(char*, unsigned long, const char*, ...); ' +
        'int cuDeviceGetName(char* s, int n, int d) { snprintf(s, n, "Fake GPU %d", d); return 0; }',
      cuDeviceTotalMem_v2: 'int cuDeviceTotalMem_v2(unsigned long* b, int d) { *b = 1ul << 30; return 0; }',
      cuDeviceGetAttribute:
        'int cuDeviceGetAttribute(int* v, int a, int d) { *v = a == 75 ? 9 : a == 76 ? 0 : 132; return 0; }',
      cuDevicePrimaryCtxRetain:
        'int cuDevicePrimaryCtxRetain(void** c, int d) { *c = (char*)1 + d; return 0; }',
      cuCtxPushCurrent_v2:
        'static long current; int cuCtxPushCurrent_v2(char* c) { current = c - (char*)1; return 0; }',
      cuMemGetInfo_v2: `static unsigned long bytes[] = {${free.join(', ')}};
        int cuMemGetInfo_v2(unsigned long* f, unsigned long* t) { *f = bytes[current], *t = 1ul << 30; return 0; }`,
      cuGetErrorName: 'int cuGetErrorName(int e, const char** s) { *s = "CUDA_FAKE"; return 0; }',
      cuGetErrorString: 'int cuGetErrorString(int e, const char** s) { *s = "a fake failure"; return 0; }',
      ...definitions,
    })
  }

  /** cuDNN for a version of CUDA. */
  async cudnn({ version = 91000, cudart = 13000, definitions = {} }: FakeCudnn = {}): Promise<void> {
    await Promise.all([
      ...['libcudnn_graph.so.9', 'libcudnn_ops.so.9', 'libcudnn_cnn.so.9'].map((name) =>
        this.library(name, []),
      ),
      this.library('libcudnn.so.9', table('CUDNN'), {
        cudnnGetVersion: `unsigned long cudnnGetVersion() { return ${version}; }`,
        cudnnGetCudartVersion: `unsigned long cudnnGetCudartVersion() { return ${cudart}; }`,
        cudnnGetErrorString: 'const char* cudnnGetErrorString(int e) { return "CUDNN_FAKE"; }',
        ...definitions,
      }),
    ])
  }

  async runtime({ gpus = 1, definitions = {} }: FakeRuntime = {}): Promise<void> {
    await this.library('libcudart.so.13', table('RUNTIME'), {
      ...RUNTIME_NAMES,
      cudaRuntimeGetVersion: 'int cudaRuntimeGetVersion(int* v) { *v = 13000; return 0; }',
      cudaGetDeviceCount: `int cudaGetDeviceCount(int* n) { *n = ${gpus}; return 0; }`,
      cudaDeviceGetAttribute: 'int cudaDeviceGetAttribute(int* v, int a, int d) { *v = 9; return 0; }',
      cudaMemGetInfo:
        'int cudaMemGetInfo(unsigned long* f, unsigned long* t) { *f = 1 << 20, *t = 1 << 30; return 0; }',
      ...definitions,
    })
  }

  /** Writes one library; functions without a definition return 0. */
  async library(file: string, functions: readonly string[], definitions: Definitions = {}): Promise<void> {
    const source = functions.map((name) => definitions[name] ?? `int ${name}() { return 0; }`).join('\n')
    const text = join(this.folder, `${file}.c`)
    await writeFile(text, `${source}\nint fovea_fake_${file.replace(/\W/g, '_')};\n`)
    const options = ['-shared', '-fPIC', '-w', `-Wl,-soname,${file}`]
    await run('g++', ['-x', 'c', ...options, '-o', join(this.folder, file), text])
    await rm(text)
  }

  async remove(...files: readonly string[]): Promise<void> {
    await Promise.all(files.map((file) => rm(join(this.folder, file))))
  }

  /** Another folder that is searched after this one; gives it back with the two as one path. */
  async beside(name: string): Promise<FakeCuda> {
    const folder = join(this.folder, name)
    await mkdir(folder)
    return new FakeCuda(folder)
  }
}

/** What opening a device came to, in a process of its own. */
export interface Opened {
  readonly kind?: string
  readonly description?: string
  readonly name?: string
  readonly code?: string
  readonly reason?: string
  readonly message?: string
  readonly searched?: readonly string[]
  readonly expected?: string
  readonly got?: string
  /** NVIDIA's libraries in the process at its end. */
  readonly loaded: readonly string[]
}

/** Opens a device in a process of its own, which must end well whatever the device does. */
export async function open(device: string, env: NodeJS.ProcessEnv): Promise<Opened> {
  const { code, stdout, stderr }: Outcome = await node([join(root, 'test/cuda/fakes/open.mjs'), device], env)
  if (code !== 0) throw new Error(`opening ${device} ended with ${code}: ${stdout}${stderr}`)
  return JSON.parse(stdout) as Opened
}

/** Whether the system's own search finds a driver, asked of the system and not of what is tested. */
export function machineHasDriver(): boolean {
  const known = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).stdout
  return known.includes('libcuda.so.1') || existsSync('/usr/lib/wsl/lib/libcuda.so.1')
}
/** Why tests of a machine without one skip themselves. */
export const HAS_DRIVER = 'this machine has an NVIDIA driver'
