/** What a schedule counts in; all counts start at 0. */
export type ScheduleUnit = 'epochs' | 'steps'

/** The rate never changes. */
export interface ConstantSchedule {
  readonly kind: 'constant'
}

/** The rate is multiplied by `factor` at every milestone. */
export interface StepSchedule {
  readonly kind: 'step'
  readonly milestones: readonly number[]
  /** Default 0.1. */
  readonly factor?: number
  /** What the milestones count. Default `epochs`. */
  readonly unit?: ScheduleUnit
}

/** The rate is multiplied by `factor` when the accuracy on the validation set has stopped to improve. */
export interface PlateauSchedule {
  readonly kind: 'plateau'
  /** Epochs in a row without improvement that are borne. Default 5. */
  readonly patience?: number
  /** Default 0.1. */
  readonly factor?: number
  /** By how much the accuracy, a fraction of 1, must rise to count as improved. Default 0.0005. */
  readonly threshold?: number
  /** How often the rate is lowered at most. Default: no limit. */
  readonly reductions?: number
}

/** The rate is multiplied by `factor` every so many epochs: in stairs, or smoothly from step to step. */
export interface ExponentialSchedule {
  readonly kind: 'exponential'
  readonly factor: number
  /** Epochs. Default 1. */
  readonly every?: number
  /** Default true. */
  readonly stairs?: boolean
}

/** The rate falls to `end` times itself as `(1 - t) ** power`, t being the part of the training that is done. */
export interface PolynomialSchedule {
  readonly kind: 'polynomial'
  readonly power: number
  /** Default 0. */
  readonly end?: number
  /** How often the rate changes. Default `steps`. */
  readonly unit?: ScheduleUnit
}

/** Half a wave of the cosine from the rate down to `end` times itself (Loshchilov and Hutter 2016). */
export interface CosineSchedule {
  readonly kind: 'cosine'
  /** Default 0. */
  readonly end?: number
  /** How often the rate changes. Default `steps`. */
  readonly unit?: ScheduleUnit
}

/**
 * Up to the rate, then down to almost nothing (Smith and Topin 2017): from `1 / start` of the rate up to the rate
 * in the first `rise` of all steps, then down to `1 / (start * end)` of it, both in half waves of the cosine.
 */
export interface OneCycleSchedule {
  readonly kind: 'oneCycle'
  /** Default 0.3. */
  readonly rise?: number
  /** Default 25. */
  readonly start?: number
  /** Default 10,000. */
  readonly end?: number
}

/** Another schedule, whose rate is held low at first: it rises evenly from `from` times itself, or waits there. */
export interface WarmupSchedule {
  readonly kind: 'warmup'
  /** How long, in `unit`s. */
  readonly length: number
  /** Default `steps`. */
  readonly unit?: ScheduleUnit
  /** Part of the rate at the first step. Default 0.1. */
  readonly from?: number
  /** Default `linear`. */
  readonly shape?: 'linear' | 'constant'
  readonly then: Exclude<Schedule, WarmupSchedule>
}

/** How the learning rate changes: plain data, so that it can be written down beside a checkpoint. */
export type Schedule =
  | ConstantSchedule
  | StepSchedule
  | PlateauSchedule
  | ExponentialSchedule
  | PolynomialSchedule
  | CosineSchedule
  | OneCycleSchedule
  | WarmupSchedule

/** A moment of a training. */
export interface Moment {
  /** Epochs that are done. */
  readonly epoch: number
  /** Steps that are done since the very first. */
  readonly step: number
  readonly stepsPerEpoch: number
  /** All epochs of the training. */
  readonly epochs: number
}

/** What a schedule remembers of the validations; only that of a plateau changes. */
export interface ScheduleState {
  readonly best: number | null
  /** Epochs since then. */
  readonly waited: number
  readonly reductions: number
}

/** What a schedule remembers before the first epoch. */
export const SCHEDULE_START: ScheduleState = { best: null, waited: 0, reductions: 0 }

/**
 * The learning rate at a moment: a function of its arguments alone, so that a training goes on exactly where it
 * stopped.
 *
 * @param lr - the rate that the schedule scales
 */
export function rateAt(schedule: Schedule, lr: number, moment: Moment, state = SCHEDULE_START): number {
  return lr * scaleAt(schedule, moment, state)
}

function scaleAt(schedule: Schedule, moment: Moment, state: ScheduleState): number {
  switch (schedule.kind) {
    case 'constant':
      return 1
    case 'step': {
      const { milestones, factor = 0.1, unit = 'epochs' } = schedule
      const now = unit === 'epochs' ? moment.epoch : moment.step
      return factor ** milestones.filter((milestone) => milestone <= now).length
    }
    case 'plateau':
      return (schedule.factor ?? 0.1) ** state.reductions
    case 'exponential': {
      const { factor, every = 1, stairs = true } = schedule
      const { epoch, step, stepsPerEpoch } = moment
      return factor ** (stairs ? Math.floor(epoch / every) : step / stepsPerEpoch / every)
    }
    case 'polynomial': {
      const { power, end = 0, unit } = schedule
      return end + (1 - end) * (1 - progress(moment, unit)) ** power
    }
    case 'cosine': {
      const { end = 0, unit } = schedule
      return between(1, end, progress(moment, unit))
    }
    case 'oneCycle':
      return oneCycle(schedule, moment)
    case 'warmup':
      return warmth(schedule, moment) * scaleAt(schedule.then, moment, state)
  }
}

/** The part of the training that is done. */
function progress({ epoch, step, stepsPerEpoch, epochs }: Moment, unit: ScheduleUnit = 'steps'): number {
  return Math.min(1, unit === 'epochs' ? epoch / epochs : step / (stepsPerEpoch * epochs))
}

/** Half a wave of the cosine from `from` (at 0) to `to` (at 1). */
function between(from: number, to: number, part: number): number {
  return to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part))
}

function oneCycle(
  { rise = 0.3, start = 25, end = 1e4 }: OneCycleSchedule,
  { step, stepsPerEpoch, epochs }: Moment,
): number {
  const last = stepsPerEpoch * epochs - 1
  const top = rise * (last + 1) - 1
  const now = Math.min(step, last)
  return now <= top
    ? between(1 / start, 1, top > 0 ? now / top : 1)
    : between(1, 1 / (start * end), (now - top) / (last - top))
}

function warmth(schedule: WarmupSchedule, { step, stepsPerEpoch }: Moment): number {
  const { length, unit = 'steps', from = 0.1, shape = 'linear' } = schedule
  const part = step / (unit === 'steps' ? length : length * stepsPerEpoch)
  if (part >= 1) return 1
  return shape === 'linear' ? from + (1 - from) * part : from
}

/** What a schedule remembers after an epoch that ended with this accuracy on the validation set. */
export function observe(schedule: Schedule, state: ScheduleState, accuracy: number): ScheduleState {
  if (schedule.kind === 'warmup') return observe(schedule.then, state, accuracy)
  if (schedule.kind !== 'plateau') return state
  const { patience = 5, threshold = 0.0005, reductions = Infinity } = schedule
  if (state.best === null || accuracy > state.best + threshold) return { ...state, best: accuracy, waited: 0 }
  if (state.waited < patience) return { ...state, waited: state.waited + 1 }
  return { ...state, waited: 0, reductions: Math.min(state.reductions + 1, reductions) }
}

/** Whether the rate of early steps depends on how long the training will be. */
export function dependsOnLength(schedule: Schedule): boolean {
  if (schedule.kind === 'warmup') return dependsOnLength(schedule.then)
  return schedule.kind === 'polynomial' || schedule.kind === 'cosine' || schedule.kind === 'oneCycle'
}
