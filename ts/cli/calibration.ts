import { Option } from 'commander'
import type { InferencePrecision } from '../compile/precision.js'
import type { Classifier } from '../evaluate/index.js'
import type { Calibration } from '../model/calibration.js'
import type { Model } from '../model/model.js'
import type { Device } from '../runtime/device.js'

/** `--calibrate` */
export function calibrateOption(): Option {
  return new Option('--calibrate <folder>', 'images like those to come, which --precision int8 needs')
}

/** The precision and calibration of an inference on images that mean nothing, whose speed is all that counts. */
export async function uncalibrated(
  model: Pick<Model, 'info' | 'name' | 'trace' | 'weights'>,
  device: Device,
  precision: InferencePrecision,
): Promise<{ readonly precision: InferencePrecision; readonly calibration?: Calibration }> {
  if (precision !== 'int8') return { precision }
  const { calibrate } = await import('../model/calibration.js')
  const { samplePixels } = await import('../runtime/profile.js')
  const { tensor } = await import('../tensor.js')
  const { channels, size } = model.info.input
  const shape = [1, channels, size, size]
  return {
    precision,
    calibration: await calibrate(model, device, [tensor(samplePixels(shape), shape)]),
  }
}

/** Images a run while calibrating. */
const BATCH = 8

/**
 * A classifier with what its activations are like on the images of a folder.
 *
 * @throws DatasetError when there is no image
 */
export async function calibrated(
  classifier: Classifier,
  device: Device,
  folder: string,
  signal: AbortSignal,
): Promise<Classifier> {
  const { calibrate } = await import('../model/calibration.js')
  const { imageFiles } = await import('../data/datasets/folder.js')
  const { loadBatch } = await import('../data/image.js')
  const { chunks, prepareAhead } = await import('../evaluate/ahead.js')
  const { model, preprocessing = model.info.preprocessing } = classifier
  const files = await imageFiles(folder)
  const batches = prepareAhead(chunks(files, BATCH), (chunk) => loadBatch(chunk, preprocessing))
  return { ...classifier, calibration: await calibrate(model, device, batches, { signal }) }
}
