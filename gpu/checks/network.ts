// A network of torchvision beside PyTorch in double precision: logits in evaluation, and a training step.
//
//   network.js NETWORK MODE
import { createModel, parseModelName } from '../../models/index.js'
import { Tensor } from '../../ts/tensor.js'
import type { Model } from '../../ts/model/model.js'
import type { Device } from '../../ts/runtime/device.js'
import type { ScheduleEntry } from '../../ts/runtime/native.js'
import { fixtureImage, setFixtureWeights } from '../../test/support/fixture-weights.js'
import {
  readReference,
  relativeError,
  type Reference,
  type TrainingReference,
} from '../../test/support/reference.js'
import {
  crossEntropyGradient,
  errorsOf,
  headsOf,
  spread,
  withoutDropout,
} from '../../test/support/step-errors.js'
import {
  deviceOptionsOf,
  isUnsupported,
  LEAST_ERROR,
  parseMode,
  precisionOf,
  type ComputeMode,
} from '../support/mode.js'
import { report, reportBelow } from '../support/row.js'
import { openTarget } from '../support/target.js'

type AnyModel = Model<'logits', string>

/** Bounds of logits in evaluation. */
const LOGITS: Readonly<Record<ComputeMode, number>> = { f32: 1e-5, TF32: 3e-3, bf16: 2e-2, f16: 3e-3 }
/** Winograd's transforms cost a digit. */
const WINOGRAD_LOGITS = 2e-5
/** Bounds of a training step in strict float32. The others are held against PyTorch's. */
const STEP = {
  logits: 1e-4,
  normWorst: 1e-2,
  normMedian: 2e-3,
  probeWorst: 6e-2,
  probeMedian: 1e-2,
  statistics: 1e-5,
}
const WINOGRAD_STEP: typeof STEP = {
  logits: 5e-4,
  normWorst: 3e-2,
  normMedian: 3e-3,
  probeWorst: 0.15,
  probeMedian: 2e-2,
  statistics: 1e-5,
}
/** A bias before batch norm has no gradient: what is left is rounding. */
const NO_GRADIENT = 1e-9
/** Where the reference's first two classes are further apart than this share of the logits' rms, the first must be first. */
const CLEAR = 0.05
/** Keeps small gradients within what f16 can hold. */
const F16_SCALE = 1024

const name = parseModelName(process.argv[2]!)
const mode = parseMode(process.argv[3])
const reference = readReference(name)
const device = await openTarget(deviceOptionsOf(mode))
await guarded('logits', () => evaluation(device, reference))
const { train } = reference
if (train) await guarded('training step', () => step(device, reference, train))
device.close()

/** A mode that this build has not is no failure. */
async function guarded(check: string, body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    if (!isUnsupported(error)) throw error
    report({ check, name, mode, status: 'skip', note: (error as Error).message })
  }
}

async function evaluation(device: Device, { eval: expected, seed }: Reference): Promise<void> {
  const model: AnyModel = createModel(name)
  await setFixtureWeights(model, seed)
  const { shape } = expected.image
  const net = await model.compile(device, {
    batch: shape[0]!,
    size: [shape[2]!, shape[3]!],
    precision: precisionOf(mode),
  })
  const { logits } = await net.predict(fixtureImage(expected.image.name, shape, seed))
  const bound = mode === 'f32' && usesWinograd(net.describe()) ? WINOGRAD_LOGITS : LOGITS[mode]
  net.dispose()
  const error = relativeError(logits.data, expected.logits)
  const swapped = wrongFirst(logits, expected.logits)
  if (error < LEAST_ERROR[mode]) notTaken('logits', { error })
  else reportBelow({ check: 'logits', name, mode }, { error: [error, bound], swapped: [swapped, 1] })
}

/** Images whose first class is another than the reference's, where that is clear. */
function wrongFirst({ data }: Tensor, expected: readonly (readonly number[])[]): number {
  return expected.filter((logits, image) => {
    const [first = 0, second = 0] = logits.toSorted((a, b) => b - a)
    const rms = Math.sqrt(logits.reduce((sum, x) => sum + x * x, 0) / logits.length)
    const got = Array.from(data.subarray(image * logits.length, (image + 1) * logits.length))
    return first - second > CLEAR * rms && got.indexOf(Math.max(...got)) !== logits.indexOf(first)
  }).length
}

async function step(device: Device, { seed }: Reference, train: TrainingReference): Promise<void> {
  const { shape, name: imageName } = train.image
  const model: AnyModel = createModel(name, withoutDropout(name))
  await setFixtureWeights(model, seed)
  const program = await model.compile(device, {
    batch: shape[0]!,
    size: [shape[2]!, shape[3]!],
    training: true,
    precision: precisionOf(mode),
  })
  const scale = mode === 'f16' ? F16_SCALE : 1
  const { output, backward } = await program.forward(fixtureImage(imageName, shape, seed))
  const heads = headsOf(train.aux.length)
  const expected = [train.logits, ...train.aux]
  const logits = Math.max(...heads.map((head, i) => relativeError(output[head]!.data, expected[i]!)))
  const seeds = heads.map((head, i) => [
    head,
    scaled(crossEntropyGradient(output[head]!, train.labels, i === 0 ? 1 : train.aux_weight), scale),
  ])
  const gradients = await backward(Object.fromEntries(seeds) as Record<string, Tensor>)
  const all: Record<string, Tensor> = { ...gradients.parameters, input: gradients.input! }
  const errors = Object.entries({ ...train.gradients, input: train.input_gradient })
    .filter(([, [l2]]) => l2 > NO_GRADIENT)
    .map(([parameter, summary]) => errorsOf(parameter, scaled(all[parameter]!, 1 / scale).data, summary))
  let statistics = 0
  for (const [statistic, summary] of Object.entries(train.statistics))
    statistics = Math.max(statistics, errorsOf(statistic, await model.weights.get(statistic), summary).norm)
  const bounds = usesWinograd(program.describe()) ? WINOGRAD_STEP : STEP
  program.dispose()
  const norm = spread(errors.map((error) => error.norm))
  const probe = spread(errors.map((error) => error.probe))
  const values = {
    logits,
    normWorst: norm.worst,
    normMedian: norm.median,
    probeWorst: probe.worst,
    probeMedian: probe.median,
    statistics,
  }
  const check = 'training step'
  if (mode === 'f32') {
    const limited = Object.entries(values).map(
      ([key, value]) => [key, [value, bounds[key as keyof typeof STEP]]] as const,
    )
    reportBelow({ check, name, mode }, Object.fromEntries(limited))
  } else if (logits < LEAST_ERROR[mode]) notTaken(check, values)
  // Whether that is as good as PyTorch's is the stage's to say.
  else
    report({
      check,
      name,
      mode,
      status: Object.values(values).every(Number.isFinite) ? 'info' : 'fail',
      values,
    })
}

function notTaken(check: string, values: Readonly<Record<string, number>>): void {
  report({
    check,
    name,
    mode,
    status: 'skip',
    values,
    note: `${mode} was not taken: these are float32's logits`,
  })
}

function usesWinograd(schedule: readonly ScheduleEntry[]): boolean {
  return schedule.some(({ implementation }) => /wino/i.test(implementation))
}

function scaled(value: Tensor, factor: number): Tensor {
  return factor === 1
    ? value
    : new Tensor(
        value.shape,
        value.data.map((x) => x * factor),
        'f32',
      )
}
