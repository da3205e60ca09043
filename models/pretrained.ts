import { CAFFE, type Preprocessing } from '../ts/data/preprocessing.js'
import { InvalidArgumentError } from '../ts/errors.js'
import { importTfjs } from '../ts/import/keras/index.js'
import { KerasLayers, withNames } from '../ts/import/keras/named.js'
import { openCheckpoint, type Checkpoint } from '../ts/io/checkpoint.js'
import type { FetchOptions } from '../ts/io/download.js'
import { looksLikeTfjs, openTfjs, type TfjsModel } from '../ts/io/tfjs.js'
import { readDescription } from '../ts/model/description.js'
import type { ModelInfo } from '../ts/model/info.js'
import { Model } from '../ts/model/model.js'
import { createModel, isModelName, parseModelName, type ModelName } from './index.js'
import { isKerasNamed, KERAS_NAMES, type KerasNamed } from './keras-names.js'
import { recreate } from './recreate.js'
import {
  fetchWeights,
  isWeightsName,
  labelNames,
  WEIGHTS_NAMES,
  weightsEntry,
  weightsOf,
  type PretrainedModel,
  type WeightsEntry,
  type WeightsName,
} from './weights.js'

/** Any network with one output at inference. */
export type ClassifierModel = Model<'logits', string>

/** A network with its weights and what is needed to use them. */
export interface LoadedWeights {
  readonly model: ClassifierModel
  readonly preprocessing: Preprocessing
  /** Names of the classes in index order, where they are known. */
  readonly labels: readonly string[] | undefined
}

/** A network with published weights. */
export interface Pretrained extends LoadedWeights {
  readonly labels: readonly string[]
  readonly entry: WeightsEntry
}

/**
 * A network with published weights, fetched when they are not in the cache yet: by the name of the weights
 * (`resnet50.tv_in1k`), or of the network, for its most usual ones.
 *
 * @throws InvalidArgumentError naming what there is, when there are no such weights
 * @throws DownloadError when the file cannot be had
 */
export async function pretrained(
  name: WeightsName | PretrainedModel | (string & {}),
  options: FetchOptions = {},
): Promise<Pretrained> {
  const weights = weightsName(name)
  const entry = weightsEntry(weights)
  const { preprocessing } = entry
  const labels = labelNames(entry.labels)
  const file = await fetchWeights(weights, options)
  return { model: await load(weights, entry, file, labels), preprocessing, labels, entry }
}

/**
 * A named network with the weights of a file, `.pth`, `.safetensors` or a layers model of TensorFlow.js.
 *
 * A file that {@link Model.save} or a training wrote tells the options of the network, its preprocessing and the names
 * of its classes. Of others the preprocessing is what such a file is taken to want; the number of classes is the
 * file's, and a thousand are ImageNet's.
 *
 * @throws CheckpointError when the file is damaged, holds weights of another network, or does not fit
 */
export async function loadWeightsFile(name: ModelName, file: string): Promise<LoadedWeights> {
  const model = (await looksLikeTfjs(file)) ? await loadTfjs(name, file) : await loadTorch(name, file)
  const imagenet = labelNames('imagenet')
  const { classes, preprocessing, labels } = model.info
  return { model, preprocessing, labels: labels ?? (classes === imagenet.length ? imagenet : undefined) }
}

function weightsName(name: string): WeightsName {
  const [usual] = isWeightsName(name) ? [name] : weightsOf(name)
  if (usual) return usual
  const problem = isModelName(name)
    ? `there are no published weights of ${name}; there are`
    : `no network and no weights "${name}"; there are weights`
  throw new InvalidArgumentError(`${problem} ${WEIGHTS_NAMES.join(', ')}`, {
    subject: 'weights',
    expected: WEIGHTS_NAMES.join(', '),
    got: name,
  })
}

function load(
  weights: WeightsName,
  { model, format, preprocessing, transformInput }: WeightsEntry,
  file: string,
  labels: readonly string[],
): Promise<ClassifierModel> {
  const name = parseModelName(model)
  const wants = { preprocessing, labels }
  if (format === 'torch') return loadTorch(name, file, transformInput ? { transformInput } : {}, wants)
  if (isKerasNamed(name)) return loadKeras(name, file, wants)
  return importTfjs(file, { name: weights, preprocessing, labels })
}

async function loadTfjs(name: ModelName, file: string): Promise<ClassifierModel> {
  if (isKerasNamed(name)) return loadKeras(name, file, { preprocessing: CAFFE })
  return importTfjs(file, { name, preprocessing: createModel(name).info.preprocessing })
}

/** What weights are known to want and to tell, beside the network. */
type Wants = Partial<Pick<ModelInfo, 'preprocessing' | 'labels'>>

interface Variant {
  readonly classes?: number
  readonly transformInput?: true
}

async function loadTorch(
  name: ModelName,
  file: string,
  variant: Variant = {},
  wants: Wants = {},
): Promise<ClassifierModel> {
  await using checkpoint = await openCheckpoint(file)
  const description = readDescription(checkpoint)
  if (description) return await filled(recreate(name, file, description), checkpoint, description)
  const usual: ClassifierModel = createModel(name, variant)
  const classes = classesIn(checkpoint, usual) ?? usual.info.classes
  const model = classes === usual.info.classes ? usual : createModel(name, { ...variant, classes })
  return await filled(model, checkpoint, wants)
}

/** Keras' ResNets differ in details, of which the file tells. */
async function loadKeras(name: KerasNamed, path: string, wants: Wants): Promise<ClassifierModel> {
  await using file = await openTfjs(path)
  const names = KERAS_NAMES[name]
  const checkpoint = withNames(file, names)
  const classes = checkpoint.tensors.get('fc.weight')?.shape[0]
  const model = createModel(name, {
    ...resnetVariant(file, checkpoint, names),
    ...(classes ? { classes } : {}),
  })
  return await filled(model, checkpoint, wants)
}

/** The model with the weights of a checkpoint, and with what is known of these. */
async function filled(
  { network, info }: ClassifierModel,
  checkpoint: Checkpoint,
  { preprocessing = info.preprocessing, labels = null }: Wants,
): Promise<ClassifierModel> {
  const model = new Model(network, { ...info, preprocessing, labels })
  await model.load(checkpoint)
  return model
}

function resnetVariant(file: TfjsModel, checkpoint: Checkpoint, names: ReadonlyMap<string, string>) {
  const layers = new KerasLayers(file)
  const first = [...names].filter(([, own]) => own === 'layer2.0.conv1').map(([layer]) => layer)
  const [stride] = layers.find('Conv2D', first).pair('strides', [1, 1])
  return {
    version: stride === 2 ? 'v1' : 'v1.5',
    bias: checkpoint.tensors.has('conv1.bias'),
    eps: layers.find('BatchNormalization').number('epsilon', 1e-3),
  } as const
}

/** How many classes the checkpoint's last layer tells apart; undefined when it has no such layer. */
function classesIn({ tensors }: Checkpoint, { info, parameters }: ClassifierModel): number | undefined {
  const last = parameters.findLast(({ role, shape }) => role === 'linear' && shape[0] === info.classes)
  const { checkpointName = (name: string) => name } = info
  return [...tensors.values()].find(({ name }) => checkpointName(name) === last?.name)?.shape[0]
}
