import { CheckpointError } from '../errors.js'
import type { Value } from '../graph/graph.js'
import { openCheckpoint, type Checkpoint } from '../io/checkpoint.js'
import type { Model } from '../model/model.js'
import { Weights, type LoadReport } from '../model/weights.js'
import { formatShape, type Shape } from '../tensor.js'

/** What became of a checkpoint whose last layers tell other classes apart. */
export interface TransferReport {
  /** Names of what was taken over. */
  readonly loaded: readonly string[]
  /** What was left out: it has another shape, and starts anew. */
  readonly replaced: LoadReport['mismatched']
}

/** Names of the parameters of the last layers: those from which nothing but activations leads to an output. */
export function headOf(model: Model<'logits', string>): string[] {
  const { outputs } = model.trace('training', { batch: 2 })
  const names = new Set<string>()
  const visit = (value: Value): void => {
    const inputs = value.producer?.inputs.filter((input) => input !== null) ?? []
    const parameters = inputs.filter(({ producer, name }) => !producer && name !== '' && name !== 'input')
    for (const { name } of parameters) names.add(name)
    if (parameters.length === 0) inputs.forEach(visit)
  }
  for (const value of outputs.values()) visit(value)
  return model.parameters.map(({ name }) => name).filter((name) => names.has(name))
}

/** Names of all parameters that learn but those of the {@link headOf | head}: what fine-tuning freezes at first. */
export function trunkOf(model: Model<'logits', string>): string[] {
  const head = new Set(headOf(model))
  return model.parameters
    .filter(({ trainable, name }) => trainable && !head.has(name))
    .map(({ name }) => name)
}

/**
 * Takes over a checkpoint of the same network for other classes: all but those parameters of the last layers whose
 * shape is another. The model stays as it was when anything else does not fit.
 *
 * @throws CheckpointError when anything else is missing, unexpected or of another shape
 */
export async function transfer(
  model: Model<'logits', string>,
  source: string | Checkpoint,
): Promise<TransferReport> {
  if (typeof source !== 'string') return transferFrom(model, source)
  const checkpoint = await openCheckpoint(source)
  try {
    return await transferFrom(model, checkpoint)
  } finally {
    await checkpoint.close()
  }
}

async function transferFrom(model: Model<'logits', string>, checkpoint: Checkpoint): Promise<TransferReport> {
  const rehearsal = await new Weights(model.info, model.parameters).load(checkpoint, { strict: false })
  const head = new Set(headOf(model))
  const auxiliary = model.info.auxiliaryHeads ?? []
  const isAuxiliary = (name: string) => auxiliary.some((prefix) => name.startsWith(`${prefix}.`))
  const wrong = [
    ...rehearsal.missing
      .filter((name) => !head.has(name) && !isAuxiliary(name))
      .map((name) => `${name} is missing`),
    ...rehearsal.unexpected.map((name) => `${name} is unexpected`),
    ...rehearsal.mismatched.filter(({ name }) => !head.has(name)).map(otherShape),
  ]
  if (wrong.length > 0)
    throw new CheckpointError(
      'CHECKPOINT_MISMATCH',
      `${checkpoint.path} does not fit ${model.name}, even but for its last layer: ${wrong.slice(0, LISTED).join('; ')}` +
        (wrong.length > LISTED ? `; and ${wrong.length - LISTED} more` : ''),
      { subject: checkpoint.path },
    )
  const { loaded, mismatched } = await model.weights.load(checkpoint, { strict: false })
  return { loaded, replaced: mismatched }
}

const LISTED = 8

function otherShape({ name, expected, got }: { name: string; expected: Shape; got: Shape }): string {
  return `${name} has shape ${formatShape(got)} in place of ${formatShape(expected)}`
}
