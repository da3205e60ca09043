import { InvalidArgumentError } from '../errors.js'
import { Model } from '../model/model.js'
import { Linear } from '../nn/layers.js'
import type { Component } from '../nn/module.js'

/**
 * The network with its weights, but with new last layers for other classes, those of auxiliary heads too. It works
 * for every variant of a network, whatever options made it. The given model is taken apart: it must not be used any
 * more.
 *
 * @throws InvalidArgumentError when the network has no linear layer at its end
 */
export async function withNewHead(
  given: Model<'logits', string>,
  classes: number,
): Promise<Model<'logits', string>> {
  const { network, info } = given
  const heads = renew(network, info.classes, classes).map(({ path }) => path)
  if (heads.length === 0)
    throw new InvalidArgumentError(`${info.name} has no linear layer at its end that could be made anew`, {
      subject: info.name,
    })
  const model = new Model(network, { ...info, classes, labels: null })
  const isNew = (name: string) => heads.some((head) => name.startsWith(`${head}.`))
  for (const { name, role } of model.parameters)
    if (role === 'counter') model.weights.setCounter(name, given.weights.counter(name))
    else if (!isNew(name)) await model.weights.set(name, await given.weights.get(name))
  return model
}

/** Replaces every linear layer that gives a score a class, wherever a component keeps it. @returns the old ones */
function renew(component: Component, from: number, to: number): Linear[] {
  const found: Linear[] = []
  const visit = (holder: object) => {
    for (const [key, value] of Object.entries(holder) as [string, unknown][]) {
      if (isHead(value, from)) {
        found.push(value)
        Reflect.set(holder, key, fresh(value, to))
      } else if (isHolder(value)) visit(value)
    }
  }
  visit(component)
  return found
}

function isHead(value: unknown, classes: number): value is Linear {
  return value instanceof Linear && value.weight.shape[0] === classes
}

/** Components, and the lists in which they keep others. */
function isHolder(value: unknown): value is object {
  return Array.isArray(value) || (typeof value === 'object' && value !== null && 'children' in value)
}

function fresh({ weight, bias }: Linear, classes: number): Linear {
  return new Linear(weight.shape[1]!, classes, {
    bias: bias !== null,
    initializer: weight.initializer,
    ...(bias === null ? {} : { biasInitializer: bias.initializer }),
  })
}
