// Time of one network in one mode: with images that lie on the device, and from host memory to host memory.
//
//   benchmark.js NETWORK inference|training BATCH MODE
import { createModel, parseModelName } from '../../models/index.js'
import { crossEntropy } from '../../ts/train/loss.js'
import { median } from '../../ts/report/quartiles.js'
import { sgd } from '../../ts/train/optimizer.js'
import { elementCount, tensor } from '../../ts/tensor.js'
import type { PhaseName } from '../../ts/compile/plan.js'
import { milliseconds } from '../../bench/support/statistics.js'
import { deviceOptionsOf, isUnsupported, parseMode, precisionOf } from '../support/mode.js'
import { insistingOn, keepingInputs } from '../support/plans.js'
import { report } from '../support/row.js'
import { openTarget, reduced } from '../support/target.js'

/** Seconds that each figure is measured for. */
const SPAN = reduced ? 0.1 : 1.5
const WARM = reduced ? 2 : 6
const MEBI = 2 ** 20

const [networkText, task, batchText, modeText] = process.argv.slice(2)
const network = parseModelName(networkText!)
const batch = Number(batchText)
const mode = parseMode(modeText)
const row = { check: 'measured', name: network, mode }
const device = await openTarget({ tuning: 'fast', ...deviceOptionsOf(mode) })
await measure().catch((error: unknown) => {
  if (!isUnsupported(error)) throw error
  report({ ...row, status: 'skip', note: (error as Error).message })
})
device.close()

async function measure(): Promise<void> {
  const { device: target, compiled } = insistingOn(device, mode, keepingInputs)
  const model = createModel(network)
  const { channels, size: own, fixed } = model.info.input
  const size = reduced && !fixed ? 64 : own
  const begin = performance.now()
  const options = { batch, size, precision: precisionOf(mode) }
  const images = tensor(
    new Float32Array(elementCount([batch, channels, size, size])).map((_, i) => 1.7 * Math.sin(i * 0.37)),
    [batch, channels, size, size],
  )
  const run = task === 'training' ? await training(options) : await inference(options)
  const compileSeconds = (performance.now() - begin) / 1000
  const { plan, program } = compiled[0]!
  for (let i = 0; i < WARM; i++) await run()
  const endToEnd = await timed(run)
  const phases = plan.phases.map(({ name }) => name).filter((name) => name !== 'constants') as PhaseName[]
  // The same with what lies on the device from the runs before, and no results fetched.
  const resident = await timed(() => program.run(phases, {}, []))
  const { peak } = device.memory()
  report({
    ...row,
    status: 'info',
    values: {
      task: task!,
      batch,
      ms: rounded(resident.queued),
      imagesPerSecond: rounded((1000 * batch) / resident.queued),
      latencyMs: rounded(resident.single),
      endToEndMs: rounded(endToEnd.queued),
      endToEndLatencyMs: rounded(endToEnd.single),
      peakMiB: rounded(peak / MEBI),
      arenaMiB: rounded(program.arenaBytes / MEBI),
      compileSeconds: rounded(compileSeconds),
    },
  })

  async function inference(settings: object) {
    const net = await model.compile(target, settings)
    return () => net.predict(images)
  }

  async function training(settings: object) {
    const step = await model.compile(target, {
      ...settings,
      training: { loss: crossEntropy(), optimizer: sgd({ lr: 1e-4, momentum: 0.9 }) },
    })
    const labels = Int32Array.from({ length: batch }, (_, i) => (37 * i + 11) % model.info.classes)
    return () => step.run(images, labels)
  }
}

/** Milliseconds of a run: of many in the queue, and of one that is waited for. */
async function timed(
  run: () => Promise<unknown>,
): Promise<{ readonly queued: number; readonly single: number }> {
  await run()
  const single: number[] = []
  const end = performance.now() + SPAN * 1000
  while (performance.now() < end && single.length < 200) single.push(await milliseconds(run))
  const usual = median(single)
  const count = Math.max(2, Math.min(200, Math.floor((SPAN * 1000) / usual)))
  const all = await milliseconds(() => Promise.all(Array.from({ length: count }, run)))
  return { queued: all / count, single: usual }
}

function rounded(value: number): number {
  return Number(value.toPrecision(5))
}
