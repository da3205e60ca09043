import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createModel } from '../../models/index.js'
import { calibrate, Device, tensor } from '../../ts/index.js'
import { median } from '../../ts/report/quartiles.js'
import { Contender } from './contender.js'
import type { Case } from './networks.js'
import { toOnnx } from './onnx.js'
import { callsFor } from './statistics.js'
import { samplePixels } from '../../ts/runtime/profile.js'

/** Whom fovea is compared with; the first are itself with activations in bf16, and in int8. */
export const CONTENDERS = [
  'fovea-bf16',
  'fovea-int8',
  'onnxruntime',
  'tfjs',
  'pytorch',
  'pytorch-channels-last',
] as const
export type Opponent = (typeof CONTENDERS)[number]
export type ContenderName = 'fovea' | Opponent

export interface Setting {
  readonly threads: number
  /** A Python that has torch and torchvision. */
  readonly python: string | undefined
}

const worker = (name: string) => fileURLToPath(new URL(`../workers/${name}.js`, import.meta.url))
const PYTORCH = fileURLToPath(new URL('../../../bench/peers/pytorch.py', import.meta.url))

/** Which contenders can run a case: the others do not train, need a Python that was not given, or other processors. */
export function able(name: ContenderName, { mode }: Case, { python }: Setting): boolean {
  if (name.startsWith('pytorch')) return python !== undefined
  const hasInstructions = (names: RegExp) => names.test(readFileSync('/proc/cpuinfo', 'utf8'))
  if (name === 'fovea-bf16') return hasInstructions(/avx512_bf16/)
  if (name === 'fovea-int8') return mode === 'inference' && hasInstructions(/avx512_vnni|avx_vnni/)
  return name === 'fovea' || mode === 'inference'
}

/** A folder with a network's weights in the formats of all contenders, which is removed afterwards. */
export class WeightFiles {
  private constructor(
    private readonly folder: string,
    readonly shape: readonly number[],
  ) {}

  static async write({ network, mode, batch }: Case, names: readonly ContenderName[]): Promise<WeightFiles> {
    const model = createModel(network)
    const { channels, size } = model.info.input
    const files = new WeightFiles(await mkdtemp(join(tmpdir(), 'fovea-bench-')), [
      batch,
      channels,
      size,
      size,
    ])
    if (mode === 'inference') await model.save(files.safetensors)
    if (names.includes('onnxruntime')) await writeFile(files.onnx, await toOnnx(model, batch))
    // Last: the weights end with the device that it runs on.
    if (names.includes('fovea-int8')) await files.calibrate(model)
    return files
  }

  get safetensors(): string {
    return join(this.folder, 'weights.safetensors')
  }

  get calibration(): string {
    return join(this.folder, 'calibration.json')
  }

  get onnx(): string {
    return join(this.folder, 'network.onnx')
  }

  /** Calibrates on the images that all contenders see, here, since it takes more memory than the contender itself. */
  private async calibrate(model: ReturnType<typeof createModel>): Promise<void> {
    using device = await Device.open('cpu')
    const calibration = await calibrate(model, device, [tensor(samplePixels(this.shape), this.shape)])
    await writeFile(this.calibration, JSON.stringify(calibration))
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true })
  }
}

/** Starts a contender on a case. */
export function start(
  name: ContenderName,
  { network, mode, batch }: Case,
  files: WeightFiles,
  { threads, python }: Setting,
): Promise<Contender> {
  const [images, team] = [String(batch), String(threads)]
  const weights = mode === 'inference' ? [files.safetensors] : []
  const node = (script: string, ...args: readonly string[]) =>
    Contender.start(process.execPath, [worker(script), ...args])
  if (name === 'fovea') return node('fovea', network, mode, images, team, 'f32', ...weights)
  if (name === 'fovea-bf16') return node('fovea', network, mode, images, team, 'bf16', ...weights)
  if (name === 'fovea-int8')
    return node('fovea', network, mode, images, team, 'int8', ...weights, files.calibration)
  if (name === 'onnxruntime') return node('onnxruntime', files.onnx, team, files.shape.join(','))
  if (name === 'tfjs') return node('tfjs', network, images, files.safetensors)
  const layout = name === 'pytorch' ? 'default' : 'channels_last'
  return Contender.start(python!, [PYTORCH, network, mode, images, team, layout])
}

/** A contender's figures: milliseconds a step, one number a round. */
export interface Figures {
  readonly times: readonly number[]
  readonly peakMiB: number
}

/**
 * Milliseconds before a contender's turn. onnxruntime's threads go on spinning for some 40 ms after a run, which would
 * take a processor from whoever is next.
 */
const PAUSE = 100

/**
 * Lets contenders have their rounds in turn, so that a drift of the machine meets all alike. In each round a
 * contender runs as many steps as fill a tenth of a second. One that has taken `patience` seconds stops there.
 */
export async function interleaved<Name extends string>(
  contenders: ReadonlyMap<Name, Contender>,
  { rounds, patience = 60 }: { readonly rounds: number; readonly patience?: number },
): Promise<Map<Name, Figures>> {
  const names = [...contenders.keys()]
  const steps = new Map<Name, number>()
  const spent = new Map<Name, number>()
  const figures = new Map<Name, { times: number[]; peakMiB: number }>()
  for (const [name, contender] of contenders) {
    // What is made at the first step is no part of it; the second tells how many fill a round.
    const { milliseconds } = await contender.round(2)
    steps.set(name, callsFor(milliseconds[1]!))
    figures.set(name, { times: [], peakMiB: 0 })
    spent.set(name, 0)
  }
  for (let round = 0; round < rounds; round++)
    for (const name of round % 2 ? names : names.toReversed()) {
      const one = figures.get(name)!
      if (round > 0 && spent.get(name)! > 1000 * patience) continue
      await setTimeout(PAUSE)
      const { milliseconds, peakMiB } = await contenders.get(name)!.round(steps.get(name)!)
      one.times.push(median(milliseconds))
      one.peakMiB = peakMiB
      spent.set(name, spent.get(name)! + milliseconds.reduce((a, b) => a + b, 0))
    }
  return figures
}
