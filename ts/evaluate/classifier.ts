import type { Preprocessing } from '../data/preprocessing.js'
import type { Calibration } from '../model/calibration.js'
import type { Model } from '../model/model.js'

/** A network with weights, what these want to see, and the names of its classes. */
export interface Classifier {
  readonly model: Model<'logits', string>
  /** Default: the model's own. */
  readonly preprocessing?: Preprocessing | undefined
  /** Names of the classes in index order. Default: the model's own, where it knows them. */
  readonly labels?: readonly string[] | undefined
  /** What `calibrate` found: for `precision: 'int8'`. */
  readonly calibration?: Calibration | undefined
}

/** A {@link Classifier} with nothing left open. */
export type CompleteClassifier = Classifier & { readonly preprocessing: Preprocessing }

/** A model alone is a classifier too, with its own defaults. */
export function toClassifier(given: Model<'logits', string> | Classifier): CompleteClassifier {
  const classifier: Classifier = 'model' in given ? given : { model: given }
  const { model, calibration } = classifier
  const { preprocessing = model.info.preprocessing, labels = model.info.labels ?? undefined } = classifier
  return { model, preprocessing, labels, calibration }
}
