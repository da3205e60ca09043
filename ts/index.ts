// The declarations speak of AbortSignal and Symbol.dispose, whatever the user's compiler is set to.
/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * fovea: convolutional networks on oneDNN and cuDNN.
 *
 * Importing this loads no native code, no image library and no npm client; each is loaded by what needs it.
 */
export * from './errors.js'
export { tensor, Tensor, type DType, type Shape, type TypedArrays } from './tensor.js'
export type { InferencePrecision, Precision } from './compile/precision.js'
export { Device, type DeviceInfo, type DeviceName, type DeviceOptions } from './runtime/device.js'
export type { KernelChoices } from './runtime/tuning-cache.js'
export type { ScheduleEntry } from './runtime/native.js'

export { Model, type CompileOptions, type InferenceOptions } from './model/model.js'
export { calibrate, type CalibrateOptions, type Calibration } from './model/calibration.js'
export type { ModelInfo, ModelInput } from './model/info.js'
export { InferenceProgram } from './model/inference.js'
export { Weights, type LoadReport, type SaveOptions } from './model/weights.js'
export { summarize, type Summary, type SummaryOptions, type SummaryRow } from './model/summary.js'
export * as nn from './nn/index.js'

export * from '../models/index.js'
export * from '../models/pretrained.js'
export {
  fetchWeights,
  labelNames,
  WEIGHTS_NAMES,
  weightsEntry,
  weightsOf,
  type LabelSet,
  type PretrainedModel,
  type WeightsEntry,
  type WeightsName,
} from '../models/weights.js'
export { importTfjs, ImportedModel, type ImportedInfo, type ImportOptions } from './import/keras/index.js'
export { openCheckpoint, type Checkpoint, type CheckpointTensor } from './io/checkpoint.js'
export { readNpy, writeNpy } from './io/npy.js'

export {
  crossEntropy,
  meanSquaredError,
  radialBasisLoss,
  type CrossEntropyOptions,
  type RadialBasisLossOptions,
} from './train/loss.js'
export {
  adam,
  adamW,
  rmsProp,
  sgd,
  type AdamOptions,
  type RmsPropOptions,
  type SgdOptions,
} from './train/optimizer.js'
export type {
  Loss,
  Optimizer,
  ParameterGroup,
  StepOptions,
  StepResult,
  TrainingStep,
  TrainingStepOptions,
} from './model/step.js'
export type { Forward, Gradients, TrainingOptions, TrainingProgram } from './model/training.js'
export type { Pattern } from './model/patterns.js'
export { train, type TrainerOptions } from './train/trainer.js'
export type {
  EpochEvent,
  SkippedEvent,
  StartEvent,
  StepEvent,
  StoppedEvent,
  TrainerEvent,
  TrainingReport,
  ValidationResult,
} from './train/events.js'
export type { LossSpec, OptimizerSpec, Recipe } from './train/recipe.js'
export type { Schedule } from './train/schedule.js'
export { headOf, transfer, trunkOf, type TransferReport } from './train/fine-tune.js'
export * from '../models/recipes.js'
export { drawPlot, readMetrics, writeReport } from './report/index.js'

export { crops, type CropCount } from './data/crops.js'
export {
  decodeImage,
  loadBatch,
  loadByteBatch,
  loadImage,
  toByteTensor,
  toTensor,
  type Image,
  type ImageSource,
} from './data/image.js'
export {
  CAFFE,
  CIFAR,
  MNIST,
  TORCHVISION,
  TORCHVISION_INCEPTION,
  TORCHVISION_V2,
  type Interpolation,
  type Preprocessing,
} from './data/preprocessing.js'
export { batchesAnEpoch, loader, type LoaderOptions } from './data/loader/loader.js'
export {
  batchesFrom,
  type ImageItem,
  type StreamOptions,
  type TensorItem,
  type TensorStreamOptions,
} from './data/loader/stream.js'
export type { LoadingOptions, TrainingBatch } from './data/loader/batch.js'
export type { OnError, SkippedExample } from './data/loader/fill.js'
export { augment } from './data/augment/augment.js'
export * from './data/augment/augmentations.js'
export type { Mixup } from './data/augment/mixup.js'
export type { Transform } from './data/augment/transform.js'
export { RandomStream } from './random.js'
export { batches, type Batch, type BatchOptions } from './data/datasets/batches.js'
export { ArrayDataset, type Dataset, type Example, type Split } from './data/datasets/dataset.js'
export { DATASET_NAMES, openDataset, type DatasetName, type DatasetOptions } from './data/datasets/open.js'

export {
  classify,
  evaluate,
  predict,
  type Classification,
  type Classifier,
  type ClassifyOptions,
  type EvaluateOptions,
  type Evaluation,
  type Prediction,
  type PredictOptions,
} from './evaluate/index.js'
