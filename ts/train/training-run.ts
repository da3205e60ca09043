import { join } from 'node:path'
import { parsePrecision, type Precision } from '../compile/precision.js'
import { batchesAnEpoch, loader } from '../data/loader/loader.js'
import { checkCount, type TrainingBatch } from '../data/loader/batch.js'
import type { SkippedExample } from '../data/loader/fill.js'
import type { Preprocessing } from '../data/preprocessing.js'
import { DatasetError, DivergedError, InvalidArgumentError } from '../errors.js'
import { linkAtomically } from '../files/atomic-write.js'
import type { StepResult, TrainingStepOptions } from '../model/step.js'
import type { Pattern } from '../model/patterns.js'
import { tensor, type Tensor } from '../tensor.js'
import { firstNonFinite, type Finding } from './diagnose.js'
import type { Best, EpochEvent, TrainerEvent, TrainingReport, ValidationResult } from './events.js'
import { identityOf, refuseOther, type Identity } from './identity.js'
import { MetricsLog } from './metrics-log.js'
import { Programs } from './programs.js'
import { stepOptionsOf } from './recipe.js'
import { holdsRun, makeFolder, SavedRunFile, saveRun, type Progress } from './saved-run.js'
import { observe, rateAt, SCHEDULE_START } from './schedule.js'
import type { TrainerOptions } from './trainer.js'
import { countCorrect } from './validate.js'

const BEGINNING: Progress = {
  epoch: 0,
  step: 0,
  loss: 0,
  correct: 0,
  seconds: 0,
  left: 0,
  schedule: SCHEDULE_START,
  best: null,
}

/** Updates in a row that may be left out because a gradient is not finite, before the training is given up. */
const BORNE = 10
/** Those that it takes to halve the first scale of an f16 training down to 1. */
const HALVINGS = 16

/** A step that the device has been given. */
interface Begun {
  readonly images: Tensor
  readonly labels: Int32Array | Tensor
  readonly classes: Int32Array
  /** Batches before it. */
  readonly batches: number
  readonly lr: number
  readonly result: Promise<StepResult>
}

/** One training, from its first compilation to its last file. */
export class TrainingRun {
  private readonly epochs: number
  private readonly batch: number
  private readonly seed: number
  private readonly precision: Precision
  private readonly preprocessing: Preprocessing
  /** Steps an epoch. */
  private readonly steps: number
  private readonly training: TrainingStepOptions
  private readonly identity: Identity
  private readonly programs: Programs
  private readonly begun = performance.now()
  private readonly told: EpochEvent[] = []
  private progress = BEGINNING
  private log: MetricsLog | null = null
  /** Metrics that are being written, one after the other. */
  private written: Promise<void> = Promise.resolve()

  constructor(private readonly options: TrainerOptions) {
    const { model, device, recipe, train, validation, freeze, seed = 0, saveEvery } = options
    this.epochs = options.epochs ?? recipe.epochs
    this.batch = options.batch ?? recipe.batch
    this.seed = seed
    this.precision = parsePrecision(options.precision)
    this.preprocessing = options.preprocessing ?? model.info.preprocessing
    checkCount('epochs', this.epochs, 1)
    checkCount('batch', this.batch, 1)
    checkCount('seed', seed, 0)
    if (saveEvery !== undefined) checkCount('saveEvery', saveEvery, 1)
    if (freeze) checkCount('freeze.epochs', freeze.epochs, 0)
    for (const dataset of [train, validation])
      if (dataset && dataset.classes.length !== model.info.classes)
        throw new DatasetError(
          `${dataset.name} has ${dataset.classes.length} classes, but ${model.name} tells ${model.info.classes} apart`,
          { subject: dataset.name },
        )
    this.steps = batchesAnEpoch(train, { batch: this.batch })
    this.training = { ...stepOptionsOf(recipe), seed }
    const { epochs, batch, precision, preprocessing } = this
    this.identity = identityOf(options, { epochs, batch, seed, precision, preprocessing })
    const freezes: (readonly Pattern[])[] = freeze && freeze.epochs > 0 ? [freeze.patterns, []] : [[]]
    this.programs = new Programs({
      model,
      device,
      step: this.training,
      precision,
      freezes,
      validates: !!validation,
      validator: {
        batch: this.batch,
        preprocessing: this.preprocessing,
        workers: options.workers,
        onCorrupt: options.onCorrupt ?? 'fail',
        onSkipped: (event) => this.tell(event),
        withLoss: recipe.loss.kind === 'crossEntropy',
      },
    })
    if (options.seed !== undefined) model.weights.seed = seed
  }

  /** Compiles what comes first, and puts all back where a training goes on. */
  async open(): Promise<void> {
    const { out, resume = false, model, device } = this.options
    let resumedAt: { readonly epoch: number; readonly step: number } | undefined
    if (out !== undefined) {
      await makeFolder(out)
      const goesOn = await holdsRun(out)
      if (goesOn && !resume)
        throw new InvalidArgumentError(
          `${out} holds a training already: resume it, or name another folder for this one`,
          { subject: 'out' },
        )
      if (goesOn) {
        await this.resume(out)
        const { epoch, step } = this.progress
        resumedAt = { epoch, step }
      }
      this.log = await MetricsLog.open(out, resumedAt)
    }
    if (!resumedAt) await this.programs.next()
    this.tell({
      kind: 'start',
      device: device.description,
      network: model.name,
      parameters: model.parameterCount,
      steps: this.steps,
      epochs: this.epochs,
      ...(resumedAt && { resumedAt }),
    })
  }

  private async resume(folder: string): Promise<void> {
    const file = await SavedRunFile.open(folder)
    try {
      const { identity, kernels, choices, progress } = file.run
      refuseOther(file.path, identity, this.identity)
      this.options.device.useKernels(choices)
      while (this.programs.kernels.length < kernels.length) await this.programs.next()
      refuseOther(file.path, { kernels }, { kernels: this.programs.kernels })
      await file.restore(this.options.model, this.programs.step)
      this.progress = progress
    } finally {
      await file.close()
    }
  }

  /** Trains to the end, or until it is interrupted. */
  async finish(): Promise<TrainingReport> {
    const { signal } = this.options
    try {
      while (this.progress.epoch < this.epochs) {
        this.checkInterruption()
        await this.enterPart()
        await this.trainEpoch()
        await this.endEpoch()
      }
    } catch (error) {
      if (error instanceof DivergedError) this.stop('diverged', error.message)
      if (error instanceof DivergedError || !signal?.aborted || !isInterruption(error)) throw error
      await this.save()
      return this.report('interrupted')
    }
    return this.report('finished')
  }

  /** Frees programs and files; what was measured is written first. */
  async close(): Promise<void> {
    this.programs.dispose()
    await this.written.catch(() => undefined)
    await this.log?.close()
  }

  /** The frozen layers begin to learn. */
  private async enterPart(): Promise<void> {
    const { freeze } = this.options
    const thawed = freeze && freeze.epochs > 0 && this.progress.epoch >= freeze.epochs
    while (this.programs.kernels.length < (thawed ? 2 : 1)) await this.programs.next()
  }

  private async trainEpoch(): Promise<void> {
    const { train, recipe, signal, saveEvery, workers, onCorrupt } = this.options
    const before = this.progress
    const batches = loader(train, {
      batch: this.batch,
      preprocessing: this.preprocessing,
      transforms: recipe.transforms,
      mixup: recipe.mixup,
      seed: this.seed,
      epoch: before.epoch,
      skip: before.step,
      workers,
      onError: onCorrupt,
      signal,
    })
    const start = performance.now()
    // The device has the next step before the last one's results are looked at.
    let last: Begun | null = null
    const finishLast = async () => {
      const begun = last
      last = null
      if (!begun) return
      const result = await this.finishStep(begun)
      const seconds = (performance.now() - start) / 1000
      this.progress = { ...this.progress, seconds: before.seconds + seconds }
      this.tellStep(result, begun.lr, seconds / (this.progress.step - before.step))
      await this.written
    }
    try {
      for await (const batch of batches) {
        this.tellSkipped(batch.skipped)
        const step = this.progress.step + (last ? 1 : 0)
        const begun = this.beginStep(batch, step)
        await finishLast()
        last = begun
        const saves = saveEvery !== undefined && (step + 1) % saveEvery === 0 && step + 1 < this.steps
        if (saves || signal?.aborted) await finishLast()
        this.checkInterruption()
        if (saves) await this.save()
      }
      await finishLast()
    } catch (error) {
      // What the device was given counts.
      if (isInterruption(error)) await finishLast()
      throw error
    }
  }

  private beginStep(batch: TrainingBatch, number: number): Begun {
    const { step } = this.programs
    const { batches } = step
    const { images, labels: classes } = batch
    const labels = this.labelsOf(batch)
    const lr = this.rate(number)
    step.lr = lr
    const result = step.run(images, labels)
    // Thrown where it is awaited.
    result.catch(() => undefined)
    return { images, labels, classes, batches, lr, result }
  }

  private async finishStep(begun: Begun): Promise<StepResult> {
    const result = await begun.result
    const { loss, logits, updated, gradientNorm } = result
    const left = updated ? 0 : this.progress.left + (gradientNorm === null ? 0 : 1)
    if (!Number.isFinite(loss) || left >= this.borne) throw await this.diverged(result, begun)
    const { progress } = this
    this.progress = {
      ...progress,
      left,
      step: progress.step + 1,
      loss: progress.loss + loss,
      correct: progress.correct + countCorrect(logits, begun.classes),
    }
    return result
  }

  private get borne(): number {
    return this.precision === 'f16' ? BORNE + HALVINGS : BORNE
  }

  private async endEpoch(): Promise<void> {
    const { validation, signal, recipe } = this.options
    const start = performance.now()
    await this.programs.refresh()
    const { validator } = this.programs
    const found = validation && validator ? await validator.run(validation, signal) : null
    const lr = this.rate(this.steps - 1)
    const { epoch: done, step, schedule, loss, correct, ...progress } = this.progress
    const train = { loss: loss / step, top1: correct / (step * this.batch) }
    const epoch = done + 1
    const best = betterOf(progress.best, epoch, found, train.loss)
    this.progress = {
      ...BEGINNING,
      left: progress.left,
      epoch,
      schedule: observe(recipe.schedule, schedule, found?.top1 ?? train.top1),
      best,
    }
    const isBest = best.epoch === epoch
    await this.saveWeights(isBest)
    await this.save()
    const seconds = progress.seconds + (performance.now() - start) / 1000
    const event = { kind: 'epoch', epoch, train, validation: found, lr, seconds, best: isBest } as const
    this.told.push(event)
    this.tell(event)
    await this.written
  }

  /** The learning rate of a step of this epoch. */
  private rate(step = this.progress.step): number {
    const { recipe } = this.options
    const { epoch, schedule } = this.progress
    const { steps: stepsPerEpoch, epochs } = this
    const moment = { epoch, step: epoch * stepsPerEpoch + step, stepsPerEpoch, epochs }
    return rateAt(recipe.schedule, recipe.optimizer.lr, moment, schedule)
  }

  private labelsOf({ labels, soft }: TrainingBatch): Int32Array | Tensor {
    const { loss } = this.options.recipe
    if (loss.kind !== 'meanSquaredError') return soft ?? labels
    const { on = 1, off = 0 } = loss
    const { classes } = this.options.model.info
    const wanted = new Float32Array(labels.length * classes).fill(off)
    if (soft) for (const [i, share] of soft.data.entries()) wanted[i] = off + (on - off) * share
    else for (const [i, label] of labels.entries()) wanted[i * classes + label] = on
    return tensor(wanted, [labels.length, classes])
  }

  private async diverged(
    { loss, gradientNorm }: StepResult,
    { images, labels, batches, lr }: Begun,
  ): Promise<DivergedError> {
    const { model, device, freeze } = this.options
    const { epoch, step } = this.progress
    const frozen = this.programs.kernels.length === 1 && freeze && freeze.epochs > 0 ? freeze.patterns : []
    // Where memory does not suffice to look for the layer, the rest is worth telling all the same.
    const finding = await firstNonFinite(model, device, {
      images,
      labels,
      batches,
      loss: this.training.loss,
      freeze: frozen,
      seed: this.seed,
    }).catch(() => null)
    const what = Number.isFinite(loss)
      ? `the norm of the gradients was ${gradientNorm} in ${this.borne} steps in a row`
      : `the loss is ${loss}`
    const where = finding ? `; first ${locationOf(finding)}` : ''
    return new DivergedError(
      `the training of ${model.name} diverged in epoch ${epoch + 1}, step ${step + 1}, at a learning rate of ${lr}: ` +
        `${what}${where}`,
      { epoch: epoch + 1, step: step + 1, lr, layer: finding?.layer ?? null, subject: model.name },
    )
  }

  private async saveWeights(isBest: boolean): Promise<void> {
    const { out, train } = this.options
    if (out === undefined) return
    const last = join(out, 'last.safetensors')
    const best = join(out, 'best.safetensors')
    const { preprocessing } = this
    const save = (path: string) => this.programs.kept.save(path, { preprocessing, labels: train.classes })
    await save(last)
    if (isBest && !(await linkAtomically(last, best))) await save(best)
  }

  private async save(): Promise<void> {
    const { out, model, device } = this.options
    if (out === undefined) return
    const { identity, progress, programs } = this
    const { step, kernels } = programs
    const { updates, batches } = step
    await saveRun(out, model, step, {
      identity,
      kernels,
      choices: device.kernelChoices(),
      updates,
      batches,
      progress,
    })
  }

  private checkInterruption(): void {
    if (this.options.signal?.aborted) throw new Interruption()
  }

  private tell(event: TrainerEvent): void {
    this.options.onEvent?.(event)
    const { log } = this
    if (!log) return
    this.written = this.written.then(() => log.write(event))
    // Thrown where it is awaited; until then a failure is nobody's.
    this.written.catch(() => undefined)
  }

  private tellSkipped(skipped: readonly SkippedExample[]): void {
    for (const { index, name, error } of skipped)
      this.tell({ kind: 'skipped', index, name, message: error.message })
  }

  private tellStep({ loss, updated }: StepResult, lr: number, secondsAStep: number): void {
    const { epoch, step, correct } = this.progress
    this.tell({
      kind: 'step',
      epoch: epoch + 1,
      step,
      steps: this.steps,
      loss,
      accuracy: correct / (step * this.batch),
      lr,
      updated,
      imagesPerSecond: this.batch / secondsAStep,
      secondsLeft: secondsAStep * ((this.epochs - epoch) * this.steps - step),
    })
  }

  private stop(reason: 'finished' | 'interrupted' | 'diverged', message?: string): void {
    const { epoch, step, best } = this.progress
    this.tell({ kind: 'stopped', reason, epoch, step, best, ...(message !== undefined && { message }) })
  }

  private async report(reason: 'finished' | 'interrupted'): Promise<TrainingReport> {
    this.stop(reason)
    await this.written
    const { epoch, step, best } = this.progress
    return { reason, epoch, step, best, epochs: this.told, seconds: (performance.now() - this.begun) / 1000 }
  }
}

/** Ends a training whose signal fired. */
class Interruption extends Error {}

function isInterruption(error: unknown): boolean {
  return error instanceof Interruption || (error instanceof Error && error.name === 'AbortError')
}

function betterOf(best: Best | null, epoch: number, found: ValidationResult | null, loss: number): Best {
  const here = found ? { epoch, top1: found.top1 } : { epoch, loss }
  if (!best) return here
  const isBetter =
    here.top1 === undefined ? here.loss < (best.loss ?? Infinity) : here.top1 > (best.top1 ?? -1)
  return isBetter ? here : best
}

function locationOf({ layer, op, what }: Finding): string {
  if (layer === '') return 'the loss itself is not finite'
  return `the ${what} of ${layer} (${op}) is not finite`
}
