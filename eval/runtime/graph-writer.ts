// SPDX-License-Identifier: Apache-2.0

import { bytesField, numberField } from './proto-file.ts'

/* Numbers of fields: onnx/onnx.proto, ModelProto, GraphProto, NodeProto, ValueInfoProto, TypeProto, TensorShapeProto. */

const MODEL = { irVersion: 1, graph: 7, opset: 8 } as const
const OPSET = { version: 2 } as const
const GRAPH = { node: 1, name: 2, input: 11, output: 12 } as const
const NODE = { input: 1, output: 2, name: 3, operator: 4 } as const
const VALUE = { name: 1, type: 2 } as const
const TYPE = { tensor: 1 } as const
const TENSOR = { type: 1, shape: 2 } as const
const SHAPE = { dim: 1 } as const
const DIM = { value: 1, name: 2 } as const
/** Of onnx.TensorProto.DataType. */
const TYPES = { float32: 1, int64: 7 } as const

/** Of 2020: every runtime supports both. */
const [IR_VERSION, OPSET_VERSION] = [7, 13]

/** An operator of the standard set without attributes. */
export interface GraphNode {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly output: string
}

/** An input or output of a graph (ValueInfoProto). */
export interface GraphValue {
  readonly name: string
  readonly type: keyof typeof TYPES
  /** sizes, and names of those that differ from run to run */
  readonly dims: readonly (number | string)[]
}

/** The bytes of an ONNX graph without weights. */
export function writeGraph(
  nodes: readonly GraphNode[],
  inputs: readonly GraphValue[],
  outputs: readonly GraphValue[],
): Uint8Array {
  const graph = Buffer.concat([
    ...nodes.map((node) => bytesField(GRAPH.node, nodeProto(node))),
    bytesField(GRAPH.name, 'made by the runtime'),
    ...inputs.map((value) => bytesField(GRAPH.input, valueInfo(value))),
    ...outputs.map((value) => bytesField(GRAPH.output, valueInfo(value))),
  ])
  return Buffer.concat([
    numberField(MODEL.irVersion, IR_VERSION),
    bytesField(MODEL.graph, graph),
    bytesField(MODEL.opset, numberField(OPSET.version, OPSET_VERSION)),
  ])
}

function nodeProto({ operator, inputs, output }: GraphNode): Buffer {
  return Buffer.concat([
    ...inputs.map((input) => bytesField(NODE.input, input)),
    bytesField(NODE.output, output),
    bytesField(NODE.name, output),
    bytesField(NODE.operator, operator),
  ])
}

function valueInfo({ name, type, dims }: GraphValue): Buffer {
  const shape = Buffer.concat(dims.map((dim) => bytesField(SHAPE.dim, dimension(dim))))
  const tensor = Buffer.concat([numberField(TENSOR.type, TYPES[type]), bytesField(TENSOR.shape, shape)])
  return Buffer.concat([
    bytesField(VALUE.name, name),
    bytesField(VALUE.type, bytesField(TYPE.tensor, tensor)),
  ])
}

function dimension(dim: number | string): Buffer {
  return typeof dim === 'number' ? numberField(DIM.value, dim) : bytesField(DIM.name, dim)
}
