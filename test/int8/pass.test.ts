import { expect, it } from 'vitest'
import { toPlan } from '../../ts/compile/compile.js'
import { quantize } from '../../ts/compile/quantize.js'
import { Graph, type Value } from '../../ts/graph/graph.js'
import {
  add,
  concat,
  convolution,
  flatten,
  linear,
  maxPool,
  relu,
  sigmoid,
  tanh,
} from '../../ts/graph/ops/index.js'
import { fuseRelu, fuseResidual } from '../../ts/compile/fuse.js'
import { rewrite } from '../../ts/compile/rewrite.js'

/** A small network, quantised: what it computes per image, by operation, with the types of results. */
function quantized(
  build: (x: Value, layer: (x: Value, outputs?: number) => Value) => Value,
  range: (value: Value) => number = () => 2,
) {
  const graph = new Graph('evaluation')
  let count = 0
  const layer = (x: Value, outputs = 8) => {
    const path = `conv${++count}`
    const weight = graph.parameter({ name: `${path}.weight`, shape: [outputs, x.channels, 1, 1] })
    return graph.within(path, () => convolution(x, weight, {}))
  }
  graph.outputs.set('y', build(graph.input('x', [1, 4, 6, 6]), layer))
  const fused = rewrite(rewrite(graph, fuseResidual), fuseRelu)
  const plan = toPlan(quantize(fused, range))
  const { begin, end } = plan.phases.find(({ name }) => name === 'forward')!
  const steps = plan.instructions.slice(begin, end)
  return {
    ops: steps.map(({ op, outputs: [y] }) => `${op} ${plan.buffers[y!]!.dtype}`),
    attributes: (op: string) =>
      plan.instructions.filter((step) => step.op === op).map(({ attributes }) => attributes),
  }
}

it('quantises the input once, and keeps 8 bits between convolutions, through pooling and concatenation', () => {
  const { ops } = quantized((x, layer) => {
    const a = relu(layer(x))
    const b = relu(layer(x))
    return layer(maxPool(concat([a, b]), { kernel: 2 }))
  })
  expect(ops).toEqual([
    'quantize s8',
    'quantizedConvolution u8',
    'quantizedConvolution u8',
    'concat u8',
    'pooling u8',
    'quantizedConvolution f32',
  ])
})

it('gives what is concatenated one scale, the largest that a part needs', () => {
  const { attributes } = quantized(
    (x, layer) => layer(concat([relu(layer(x)), relu(layer(x))])),
    ({ producer }) => (producer?.path === 'conv1' ? 51 : 25.5),
  )
  expect(attributes('quantizeWeights')).toEqual([
    { inputScale: 25.5 / 127, outputScale: 0.2 },
    { inputScale: 25.5 / 127, outputScale: 0.2 },
    { inputScale: 0.2, outputScale: 1 },
  ])
})

it('gives what may be negative the type s8, and what is concatenated with it', () => {
  const { ops } = quantized((x, layer) => layer(concat([relu(layer(x)), layer(x)])))
  expect(ops).toEqual([
    'quantize s8',
    'quantizedConvolution s8',
    'quantizedConvolution s8',
    'concat s8',
    'quantizedConvolution f32',
  ])
})

it('adds a residual of 8 bits by the ratio of scales', () => {
  const { ops, attributes } = quantized(
    (x, layer) => {
      const a = relu(layer(x))
      return layer(relu(add(layer(a), a)))
    },
    ({ producer }) => (producer?.path === 'conv1' ? 10 : 40),
  )
  expect(ops.slice(1)).toEqual([
    'quantizedConvolution u8',
    'quantizedConvolution u8',
    'quantizedConvolution f32',
  ])
  expect(attributes('quantizedConvolution')[1]).toMatchObject({ activation: 'relu', residualFactor: 0.25 })
})

it('computes in f32 what has no 8 bits, and converts once for all that read it', () => {
  const { ops } = quantized((x, layer) => {
    const a = relu(layer(x))
    return add(add(layer(a), sigmoid(a)), tanh(a))
  })
  expect(ops.filter((op) => op === 'dequantize f32')).toHaveLength(1)
})

it('leaves the last linear layer in f32, and no other', () => {
  const { ops } = quantized((x, layer) => {
    const { graph } = x
    const features = relu(
      linear(flatten(relu(layer(x))), graph.parameter({ name: 'fc1', shape: [10, 8 * 36] })),
    )
    return linear(features, graph.parameter({ name: 'fc2', shape: [5, 10] }))
  })
  expect(ops.slice(1)).toEqual([
    'quantizedConvolution u8',
    'reshape u8',
    'reshape u8',
    'quantizedConvolution f32',
    'reshape f32',
    'linear f32',
  ])
})

it('gives an activation that was always zero a scale all the same', () => {
  const { attributes } = quantized(
    (x, layer) => layer(relu(layer(x))),
    () => 0,
  )
  expect(attributes('quantizeWeights')).toEqual([
    { inputScale: 1, outputScale: 1 },
    { inputScale: 1, outputScale: 1 },
  ])
})
