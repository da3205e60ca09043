import type { Preprocessing } from '../../data/preprocessing.js'
import { InvalidArgumentError, UnsupportedError } from '../../errors.js'
import { Graph } from '../../graph/graph.js'
import { malformed } from '../../io/checkpoint-error.js'
import { renamed, type CheckpointTensor } from '../../io/checkpoint-tensor.js'
import { excerpt } from '../../io/json.js'
import { openTfjs, type TfjsModel } from '../../io/tfjs.js'
import type { ModelInfo, ModelInput } from '../../model/info.js'
import { Model } from '../../model/model.js'
import type { Deferred, Features } from './features.js'
import { LAYERS } from './layers/index.js'
import { KerasNetwork } from './network.js'
import { inputLayer, inputShape, parseTopology, type Topology } from './topology.js'
import { KerasWeights } from './weights.js'

export interface ImportOptions {
  /** Name of the model. Default: the file's. */
  readonly name?: string | undefined
  /** Default: the whole image in [0, 1], grey for one channel and RGB for three. The file does not say. */
  readonly preprocessing?: Preprocessing | undefined
  /** Names of the classes, in index order. */
  readonly labels?: readonly string[] | undefined
}

/** What is known of an imported network. */
export interface ImportedInfo extends ModelInfo {
  readonly labels: readonly string[] | null
  /** What the file applies to the logits; the model's output comes before it, as that of every other network. */
  readonly activation: Deferred | 'linear'
}

/** A {@link Model} whose network comes from a file. */
export class ImportedModel extends Model {
  constructor(
    network: KerasNetwork,
    override readonly info: ImportedInfo,
  ) {
    super(network, info)
  }
}

/**
 * Reads a layers model of TensorFlow.js, topology and weights: a `model.json`, a script that wraps one, or the folder
 * that holds it. Parameters have the names of Keras' layers and PyTorch's arrays, such as `conv1.weight`. A softmax or
 * sigmoid at the end is left out, so that the output is `logits`.
 *
 * @throws CheckpointError when a file is missing or damaged, or weights do not fit the topology
 * @throws UnsupportedError naming the layer that is not supported
 */
export async function importTfjs(pathOrFolder: string, options: ImportOptions = {}): Promise<ImportedModel> {
  const file = await openTfjs(pathOrFolder)
  try {
    return await importKeras(file, options)
  } finally {
    await file.close()
  }
}

async function importKeras(file: TfjsModel, options: ImportOptions): Promise<ImportedModel> {
  const { path } = file
  const topology = parseTopology(path, file.topology, new Set(['InputLayer', ...LAYERS.keys()]))
  const { height, width, channels } = imageShape(path, topology, options)
  const weights = new KerasWeights(file)
  const network = new KerasNetwork(topology, weights, (outputs) => classifier(path, topology, outputs))

  const probe = new Graph('evaluation')
  const { logits, activation } = network.record(probe.input('input', [1, channels, height, width]))
  weights.refuseLeftovers()
  const classes = logits.channels
  const { labels = null } = options
  if (labels && labels.length !== classes)
    throw new InvalidArgumentError(
      `labels: ${path} tells ${classes} classes apart, got ${labels.length} names`,
      {
        subject: 'labels',
        expected: String(classes),
        got: String(labels.length),
      },
    )

  const input: ModelInput = { channels, size: height, fixed: network.built.fixesSize }
  const model = new ImportedModel(network, {
    name: options.name ?? topology.name,
    classes,
    input,
    preprocessing: options.preprocessing ?? plainPreprocessing(input),
    labels,
    activation: activation ?? 'linear',
  })
  await model.load({ ...file, tensors: byParameter(network.built.values) })
  return model
}

function byParameter(values: ReadonlyMap<string, CheckpointTensor>): ReadonlyMap<string, CheckpointTensor> {
  return new Map([...values].map(([name, tensor]) => [name, renamed(tensor, name)]))
}

const DEFAULT_SIZE = 224

function imageShape(path: string, topology: Topology, { preprocessing }: ImportOptions) {
  const { inputs } = topology
  if (inputs.length !== 1)
    throw new UnsupportedError(`${path}: the network has ${inputs.length} inputs; supported: one image`, {
      subject: 'input_layers',
      expected: '1',
      got: String(inputs.length),
    })
  const { config } = inputLayer(topology)
  const shape = inputShape(topology)
  if (
    !Array.isArray(shape) ||
    !shape.every((size) => size === null || (Number.isSafeInteger(size) && size > 0))
  )
    throw malformed(path, `layer ${config.layer} has no shape`, {
      expected: '[null, height, width, channels]',
      got: excerpt(shape),
    })
  // A network that leaves the size open takes that of its preprocessing; one without channels has grey images.
  const size = preprocessing ? preprocessing.size + 2 * (preprocessing.padding ?? 0) : DEFAULT_SIZE
  const [, height = null, width = null, channels = 1] = shape as (number | null)[]
  const square = height === null || width === null || height === width
  if (shape.length < 3 || shape.length > 4 || channels === null || !square)
    throw config.unsupported(`the shape ${excerpt(shape)}`, '[null, size, size, channels]')
  return { height: height ?? width ?? size, width: width ?? height ?? size, channels }
}

/** The output that is a score for each class: the only one, or the only one behind a softmax. */
function classifier(path: string, { outputs: references }: Topology, outputs: readonly Features[]): Features {
  const candidates = outputs.length === 1 ? outputs : outputs.filter(({ deferred }) => deferred === 'softmax')
  const chosen = candidates[0]
  const names = references.map(({ layer }) => layer).join(', ')
  if (!chosen || candidates.length > 1)
    throw new UnsupportedError(
      `${path}: the network has ${outputs.length} outputs (${names}); supported: one softmax`,
      {
        subject: 'output_layers',
        expected: '1 softmax',
        got: `${candidates.length}`,
      },
    )
  if (chosen.pixels > 1 || chosen.order)
    throw new UnsupportedError(
      `${path}: the output ${names} is an image; supported: a score for each class`,
      {
        subject: 'output_layers',
        expected: '[N, classes]',
        got: excerpt(chosen.logits.shape),
      },
    )
  return chosen.flat()
}

function plainPreprocessing({ channels, size }: ModelInput): Preprocessing {
  const count = channels === 1 ? 1 : 3
  return {
    size,
    resize: 'exact',
    interpolation: 'bilinear',
    channels: channels === 1 ? 'grey' : 'RGB',
    scale: 1 / 255,
    mean: Array<number>(count).fill(0),
    deviation: Array<number>(count).fill(1),
  }
}
