import { SingleBar } from 'cli-progress'
import { duration } from '../report/duration.js'
import type { EpochEvent, StartEvent, StepEvent, TrainerEvent } from '../train/events.js'
import { count, percent } from './output.js'
import { place } from './place.js'

/** Shows how a training goes. */
export interface TrainingProgress {
  readonly onEvent: (event: TrainerEvent) => void
  /** Takes the bar away; to be called at the end, whether that is good or bad. */
  stop(): void
}

interface Settings {
  /** Name of the data set. */
  readonly data: string
  /** Whether nothing but a bar may be shown. */
  readonly quiet: boolean
  readonly stream?: NodeJS.WriteStream
}

/** A line an epoch on standard error and, on a terminal, a bar below that follows the steps. */
export function trainingProgress({ data, quiet, stream = process.stderr }: Settings): TrainingProgress {
  let bar: SingleBar | undefined
  let epochs = 0
  let speed = 0
  const stop = () => {
    bar?.stop()
    bar = undefined
  }
  const say = (line: string) => {
    // The bar is drawn again by the next step.
    stop()
    if (!quiet) stream.write(`${line}\n`)
  }
  const follow = (event: StepEvent) => {
    speed = event.imagesPerSecond
    if (!stream.isTTY) return
    if (bar === undefined) {
      const format = `epoch ${event.epoch} of ${epochs} {bar} {text}`
      bar = new SingleBar({ stream, format, barsize: 20, clearOnComplete: true, hideCursor: true })
      bar.start(event.steps, event.step, { text: stepText(event) })
    }
    bar.update(event.step, { text: stepText(event) })
  }
  const onEvent = (event: TrainerEvent) => {
    if (event.kind === 'start') {
      epochs = event.epochs
      for (const line of startLines(event, data)) say(line)
    } else if (event.kind === 'step') follow(event)
    else if (event.kind === 'epoch') say(epochLine(event, epochs, speed))
    else if (event.kind === 'skipped') say(`skipped ${event.name}: ${event.message}`)
    else stop()
  }
  return { onEvent, stop }
}

function startLines({ network, parameters, epochs, steps, device, resumedAt }: StartEvent, data: string) {
  const size = `${count(parameters)} parameters, ${count(epochs)} epochs of ${count(steps)} steps`
  const first = `${network} on ${data}: ${size}, on ${device}`
  return resumedAt ? [first, `going on after ${place(resumedAt)}`] : [first]
}

function stepText({ step, steps, loss, accuracy, lr, imagesPerSecond, secondsLeft }: StepEvent): string {
  return [
    `${step} of ${steps}`,
    `loss ${loss.toFixed(3)}`,
    `right ${percent(accuracy)}`,
    `rate ${rate(lr)}`,
    `${count(imagesPerSecond)} images a second`,
    `${duration(secondsLeft)} left`,
  ].join('  ')
}

function epochLine(
  { epoch, train, validation, lr, seconds, best }: EpochEvent,
  epochs: number,
  speed: number,
): string {
  const { loss = null, top1, top5 } = validation ?? {}
  const measured = validation
    ? [
        ...(loss === null ? [] : [`validation loss ${loss.toFixed(4)}`]),
        `validation top-1 ${percent(top1!, 2)}`,
        `top-5 ${percent(top5!, 2)}`,
      ]
    : []
  return [
    `epoch ${epoch} of ${epochs}`,
    `loss ${train.loss.toFixed(4)}`,
    `top-1 ${percent(train.top1, 2)}`,
    ...measured,
    `rate ${rate(lr)}`,
    `${count(speed)} images a second`,
    duration(seconds),
    ...(best ? ['best'] : []),
  ].join('  ')
}

function rate(lr: number): string {
  return String(Number(lr.toPrecision(3)))
}
