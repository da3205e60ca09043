export type { Classifier } from './classifier.js'
export { classify, type Classification, type ClassifyOptions, type Prediction } from './classify.js'
export { evaluate, type EvaluateOptions, type Evaluation } from './evaluate.js'
export { predict, type PredictOptions } from './predict.js'
