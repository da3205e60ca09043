/** How often a network was right, and how far from it otherwise. */
export interface ValidationResult {
  /** Mean cross-entropy; absent where the network was trained with another loss. */
  readonly loss?: number
  readonly top1: number
  readonly top5: number
}

/** A training begins, or goes on. */
export interface StartEvent {
  readonly kind: 'start'
  /** What the device is. */
  readonly device: string
  readonly network: string
  /** Number of trainable scalars. */
  readonly parameters: number
  /** Steps an epoch. */
  readonly steps: number
  readonly epochs: number
  /** What was done before, where the training goes on: whole epochs, and steps of the next one. */
  readonly resumedAt?: { readonly epoch: number; readonly step: number }
}

/** After each step. */
export interface StepEvent {
  readonly kind: 'step'
  /** From 1. */
  readonly epoch: number
  /** Within the epoch, from 1. */
  readonly step: number
  /** Steps an epoch. */
  readonly steps: number
  /** Mean over the batch. */
  readonly loss: number
  /** Share of right answers in the epoch so far. */
  readonly accuracy: number
  readonly lr: number
  /** Whether the weights were changed: false while gradients are accumulated, and where one was not finite. */
  readonly updated: boolean
  /** In this epoch, since the training began or went on. */
  readonly imagesPerSecond: number
  /** To the end of the training at this speed, validations left out. */
  readonly secondsLeft: number
}

/** After each epoch. */
export interface EpochEvent {
  readonly kind: 'epoch'
  /** From 1. */
  readonly epoch: number
  /** Means over the epoch, each step before its update. */
  readonly train: { readonly loss: number; readonly top1: number }
  readonly validation: ValidationResult | null
  /** Rate of the last step. */
  readonly lr: number
  /** With the validation. */
  readonly seconds: number
  /** Whether no epoch was better: by the validation or, without one, by the training's loss. */
  readonly best: boolean
}

/** A damaged image was left out; another took its place. */
export interface SkippedEvent {
  readonly kind: 'skipped'
  readonly index: number
  readonly name: string
  readonly message: string
}

/** Where a training ended. */
export interface StoppedEvent {
  readonly kind: 'stopped'
  readonly reason: 'finished' | 'interrupted' | 'diverged'
  /** Whole epochs that are done. */
  readonly epoch: number
  /** Steps of the next epoch that are done. */
  readonly step: number
  /** The best epoch, from 1, and its accuracy on the validation set or, without one, the training's loss. */
  readonly best: Best | null
  /** Of a training that diverged. */
  readonly message?: string
}

export interface Best {
  /** From 1. */
  readonly epoch: number
  readonly top1?: number
  readonly loss?: number
}

/** What a training tells while it runs. */
export type TrainerEvent = StartEvent | StepEvent | EpochEvent | SkippedEvent | StoppedEvent

/** What came of a training. */
export interface TrainingReport {
  readonly reason: 'finished' | 'interrupted'
  /** Whole epochs that are done. */
  readonly epoch: number
  /** Steps of the next epoch that are done. */
  readonly step: number
  readonly best: Best | null
  /** The epochs of this call. */
  readonly epochs: readonly EpochEvent[]
  /** Of this call. */
  readonly seconds: number
}
