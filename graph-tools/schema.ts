import { createRequire } from 'node:module'
import type { onnx as Onnx } from 'onnx-proto'

// onnx-proto is CommonJS whose exports Node cannot name.
export const { onnx } = createRequire(import.meta.url)('onnx-proto') as { onnx: typeof Onnx }

/** Field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
export const FIELD = {
  model: { graph: 7, opsetImport: 8, metadata: 14, functions: 25 },
  graph: { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13, metadata: 16 },
  node: { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7, metadata: 9 },
  attribute: { name: 1, i: 3, t: 5, g: 6, tensors: 10, graphs: 11 },
  tensor: {
    dims: 1,
    dataType: 2,

    name: 8,
    rawData: 9,
    externalData: 13,
    dataLocation: 14,
    metadata: 16,
  },
  value: { metadata: 4 },
  function: { node: 7, metadata: 14 },
  entry: { key: 1, value: 2 },
} as const

/** TensorProto.DataType numbers that this toolkit meets. */
export const DATA_TYPE = { float: 1, uint8: 2, int32: 6, int64: 7, float16: 10 } as const
