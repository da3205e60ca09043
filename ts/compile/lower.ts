import type { Graph, Node, Value } from '../graph/graph.js'
import { inPlace } from '../graph/schema.js'
import type { Instruction, PhaseName, Plan } from './plan.js'

const PHASES: readonly PhaseName[] = ['constants', 'forward', 'backward', 'update']

/** Numbers the values of a graph and sorts its nodes into phases. */
export function lower(graph: Graph): Plan {
  const numbers = new Map<Value, number>()
  const buffers: Plan['buffers'][number][] = []
  const number = (value: Value): number => {
    let found = numbers.get(value)
    if (found === undefined) {
      found = buffers.push({ dtype: value.dtype, shape: value.shape }) - 1
      numbers.set(value, found)
    }
    return found
  }
  const inputs = [...graph.inputs].map(([name, value]) => ({ name, buffer: number(value) }))
  const parameters = [...graph.parameters].map(([name, value]) => ({ name, buffer: number(value) }))

  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs))
  // A record for a backward half that does not need it is not kept.
  const isIdle = (value: Value) => value.dtype === 'opaque' && !read.has(value)

  const phaseOf = phases(graph)
  const updated = new Set<number>()
  const instructions: Instruction[] = []
  const ranges = PHASES.map((name) => {
    const begin = instructions.length
    for (const node of graph.nodes) {
      if (phaseOf.get(node) !== name) continue
      for (const [output, input] of inPlace[node.op] ?? []) {
        const operand = node.inputs[input]
        const result = node.outputs[output]
        if (!operand || !result) continue
        numbers.set(result, number(operand))
        updated.add(number(operand))
      }
      instructions.push({
        op: node.op,
        inputs: node.inputs.map((input) => (input ? number(input) : -1)),
        outputs: node.outputs.map((output) => (isIdle(output) ? -1 : number(output))),
        attributes: node.attributes,
        path: node.path,
      })
    }
    return { name, begin, end: instructions.length }
  })
  return {
    buffers,
    instructions,
    phases: ranges.filter(({ begin, end }) => end > begin),
    inputs,
    outputs: [...graph.outputs].map(([name, value]) => ({ name, buffer: number(value) })),
    parameters: parameters.map((parameter) => ({ ...parameter, updated: updated.has(parameter.buffer) })),
  }
}

function phases(graph: Graph): Map<Node, PhaseName> {
  const constants = constantsOf(graph)
  const isConstant = ({ inputs }: Node) => inputs.every((input) => !input || constants.has(input))
  return new Map(graph.nodes.map((node) => [node, isConstant(node) ? 'constants' : node.phase]))
}

/** What depends on parameters alone is a constant of an evaluation program; in training nothing is. */
export function constantsOf(graph: Graph): ReadonlySet<Value> {
  const constants = new Set<Value>(graph.mode === 'evaluation' ? graph.parameters.values() : [])
  for (const { inputs, outputs } of graph.nodes)
    if (inputs.every((input) => !input || constants.has(input)))
      for (const output of outputs) constants.add(output)
  return constants
}
