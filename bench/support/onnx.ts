import protobuf from 'protobufjs'
import { UnsupportedError } from '../../ts/errors.js'
import type { Node, Value } from '../../ts/graph/graph.js'
import { isOp } from '../../ts/compile/rewrite.js'
import type { Model } from '../../ts/model/model.js'

// The part of onnx.proto3 that these files need.
const schema = protobuf
  .parse(
    `
  syntax = "proto3";
  message Attribute { string name = 1; float f = 2; int64 i = 3; repeated int64 ints = 8; int32 type = 20; }
  message Tensor { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message Dimension { int64 dim_value = 1; }
  message TensorShape { repeated Dimension dim = 1; }
  message TensorType { int32 elem_type = 1; TensorShape shape = 2; }
  message Type { TensorType tensor_type = 1; }
  message ValueInfo { string name = 1; Type type = 2; }
  message NodeProto { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
    repeated Attribute attribute = 5; }
  message Graph { repeated NodeProto node = 1; string name = 2; repeated Tensor initializer = 5;
    repeated ValueInfo input = 11; repeated ValueInfo output = 12; }
  message OperatorSet { string domain = 1; int64 version = 2; }
  message Model { int64 ir_version = 1; string producer_name = 2; Graph graph = 7; repeated OperatorSet opset_import = 8; }
`,
    { keepCase: true },
  )
  .root.lookupType('Model')

const FLOAT = 1
const INT64 = 7
const OPSET = 17

interface OnnxNode {
  readonly op: string
  readonly inputs: readonly (Value | string | null)[]
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>
  /** Attributes that are float even when whole. */
  readonly floats?: Readonly<Record<string, number>>
}

/** A model as an ONNX file, with its weights, so that another runtime computes the very same network. */
export async function toOnnx(model: Model<'logits', string>, batch: number): Promise<Uint8Array> {
  const graph = model.trace('evaluation', { batch })
  const names = new Map<Value, string>()
  const nameOf = (value: Value | string | null) => {
    if (value === null) return ''
    if (typeof value === 'string') return value
    if (value.name !== '') return value.name
    let name = names.get(value)
    if (name === undefined) names.set(value, (name = `value_${names.size}`))
    return name
  }
  const initializers: object[] = []
  for (const [name, { shape }] of graph.parameters)
    initializers.push({
      name,
      dims: shape,
      data_type: FLOAT,
      raw_data: bytesOf(await model.weights.get(name)),
    })
  const nodes = graph.nodes.map((node, i) => {
    const {
      op,
      inputs,
      attributes = {},
      floats = {},
    } = translate(node, (shape) => {
      const name = `shape_${i}`
      initializers.push({
        name,
        dims: [shape.length],
        data_type: INT64,
        raw_data: bytesOf(BigInt64Array.from(shape, BigInt)),
      })
      return name
    })
    return {
      op_type: op,
      name: `${node.path}/${i}`,
      input: inputs.map(nameOf),
      output: [nameOf(node.outputs[0]!)],
      attribute: [
        ...Object.entries(attributes).map(integerAttribute),
        ...Object.entries(floats).map(floatAttribute),
      ],
    }
  })
  const info = (name: string, { shape }: Value) => ({
    name,
    type: { tensor_type: { elem_type: FLOAT, shape: { dim: shape.map((size) => ({ dim_value: size })) } } },
  })
  const [logits] = graph.outputs.values()
  return schema
    .encode({
      ir_version: 8,
      producer_name: 'fovea bench',
      opset_import: [{ domain: '', version: OPSET }],
      graph: {
        name: model.name,
        node: nodes,
        initializer: initializers,
        input: [...graph.inputs].map(([name, value]) => info(name, value)),
        output: [info(nameOf(logits!), logits!)],
      },
    })
    .finish()
}

function translate(node: Node, shapeTensor: (shape: readonly number[]) => string): OnnxNode {
  if (isOp(node, 'convolution')) {
    const [x, weight, bias] = node.inputs
    const { stride, padding, dilation, groups } = node.attributes
    const attributes = {
      strides: stride,
      pads: padding,
      dilations: dilation,
      group: groups,
      kernel_shape: weight!.shape.slice(2),
    }
    return { op: 'Conv', inputs: bias ? [x!, weight!, bias] : [x!, weight!], attributes }
  }
  if (isOp(node, 'pooling')) {
    const { kind, kernel, stride, padding, countPadding } = node.attributes
    const attributes = { kernel_shape: kernel, strides: stride, pads: padding }
    return kind === 'max'
      ? { op: 'MaxPool', inputs: node.inputs, attributes }
      : {
          op: 'AveragePool',
          inputs: node.inputs,
          attributes: { ...attributes, count_include_pad: Number(countPadding) },
        }
  }
  if (isOp(node, 'batchNorm'))
    return { op: 'BatchNormalization', inputs: node.inputs, floats: { epsilon: node.attributes.eps } }
  if (isOp(node, 'linear')) {
    const [x, weight, bias] = node.inputs
    return { op: 'Gemm', inputs: bias ? [x!, weight!, bias] : [x!, weight!], attributes: { transB: 1 } }
  }
  if (isOp(node, 'elementwise') && node.attributes.kind === 'relu') return { op: 'Relu', inputs: node.inputs }
  if (isOp(node, 'add')) return { op: 'Add', inputs: node.inputs }
  if (isOp(node, 'concat')) return { op: 'Concat', inputs: node.inputs, attributes: { axis: 1 } }
  if (isOp(node, 'reshape'))
    return { op: 'Reshape', inputs: [node.inputs[0]!, shapeTensor(node.outputs[0]!.shape)] }
  throw new UnsupportedError(`${node.op} at ${node.path} is not written as ONNX`, { subject: node.op })
}

function integerAttribute([name, value]: [string, number | readonly number[]]) {
  return typeof value === 'number' ? { name, i: value, type: 2 } : { name, ints: value, type: 7 }
}

function floatAttribute([name, value]: [string, number]) {
  return { name, f: value, type: 1 }
}

function bytesOf(array: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
