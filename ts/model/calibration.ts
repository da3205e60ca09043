import { activationNames } from '../compile/activations.js'
import { optimize, toPlan } from '../compile/compile.js'
import { InvalidArgumentError } from '../errors.js'
import type { Graph, Value } from '../graph/graph.js'
import type { Device } from '../runtime/device.js'
import type { Program } from '../runtime/program.js'
import { sameShape, type Shape, type Tensor } from '../tensor.js'
import { MagnitudeHistogram } from './histogram.js'
import type { Model } from './model.js'

/** How large the activations of a network are: plain data, which may be kept as JSON. */
export interface Calibration {
  /** Name of the network that it was found for. */
  readonly model: string
  /** The largest magnitude that an activation needs, by the path of the layer that it comes from. */
  readonly ranges: Readonly<Record<string, number>>
}

/** A {@link Model}, whatever its outputs. */
type AnyModel = Pick<Model, 'name' | 'trace' | 'weights'>

export interface CalibrateOptions {
  readonly signal?: AbortSignal
}

/**
 * Runs a network in float32 and finds how large its activations become, as `precision: 'int8'` must know. A few
 * dozen images like those that it is for are enough.
 *
 * @param images - what {@link InferenceProgram.predict} takes: normalised batches `[N, C, H, W]`
 * @throws InvalidArgumentError when there are no images, or an activation is not finite
 * @throws AbortError when `options.signal` fires first
 */
export async function calibrate(
  model: AnyModel,
  device: Device,
  images: Iterable<Tensor> | AsyncIterable<Tensor>,
  { signal }: CalibrateOptions = {},
): Promise<Calibration> {
  const histograms = new Map<string, MagnitudeHistogram>()
  let observer: Observer | null = null
  try {
    for await (const batch of images) {
      if (!observer || !sameShape(observer.shape, batch.shape)) {
        observer?.program.dispose()
        observer = await Observer.compile(model, device, batch.shape, signal)
      }
      for (const [name, { data }] of await observer.observe(batch, signal)) at(histograms, name).add(data)
    }
  } finally {
    observer?.program.dispose()
  }
  if (!observer)
    throw new InvalidArgumentError(`${model.name}: no images to calibrate with`, { subject: 'images' })
  const ranges = [...histograms].map(([name, histogram]) => [name, histogram.quantile(QUANTILE)])
  return { model: model.name, ranges: Object.fromEntries(ranges) as Calibration['ranges'] }
}

/**
 * The few largest magnitudes are cut off, which makes the steps between all others smaller: of ResNet-50's logits for
 * photographs the distance from float32's is .041 so, .052 with none cut off, and .067 with ten times as many.
 */
const QUANTILE = 0.99999

function at(histograms: Map<string, MagnitudeHistogram>, name: string): MagnitudeHistogram {
  const found = histograms.get(name) ?? new MagnitudeHistogram(name)
  histograms.set(name, found)
  return found
}

/** A network that gives all its activations. */
class Observer {
  private constructor(
    readonly program: Program,
    readonly shape: Shape,
    private readonly names: readonly string[],
  ) {}

  static async compile(
    model: AnyModel,
    device: Device,
    shape: Shape,
    signal: AbortSignal | undefined,
  ): Promise<Observer> {
    const [batch, , height, width] = shape
    const graph = optimize(model.trace('evaluation', { batch: batch!, size: [height!, width!] }))
    const computed = [...activationNames(graph)].filter(([{ producer }]) => producer)
    graph.outputs.clear()
    for (const [value, name] of computed) graph.outputs.set(name, value)
    const program = await device.compile(toPlan(graph), await model.weights.on(device), signal)
    return new Observer(
      program,
      shape,
      computed.map(([, name]) => name),
    )
  }

  async observe(
    images: Tensor,
    signal: AbortSignal | undefined,
  ): Promise<readonly (readonly [string, Tensor])[]> {
    const results = await this.program.run(['forward'], { input: images.data }, this.names, signal)
    return Object.entries({ input: images, ...results })
  }
}

/**
 * The ranges of the activations of a graph.
 *
 * @throws InvalidArgumentError when the calibration is another network's
 */
export function rangesOf(
  { model, ranges }: Calibration,
  name: string,
  graph: Graph,
): (value: Value) => number {
  const names = activationNames(graph)
  if (model !== name) throw foreign(name, `network ${name}`, `network ${model}`)
  const known = new Set(names.values())
  for (const path of Object.keys(ranges))
    if (!known.has(path)) throw foreign(name, `activations of ${name} only`, `one at '${path}'`)
  return (value) => {
    const path = names.get(value)!
    const range = ranges[path]
    if (range === undefined || !(range >= 0) || !Number.isFinite(range))
      throw foreign(name, `a range for '${path}'`, String(range ?? 'none'))
    return range
  }
}

function foreign(name: string, expected: string, got: string): InvalidArgumentError {
  return new InvalidArgumentError(`the calibration does not fit ${name}: expected ${expected}, got ${got}`, {
    subject: 'calibration',
    expected,
    got,
  })
}
