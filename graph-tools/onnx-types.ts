// SPDX-License-Identifier: Apache-2.0

import { createRequire } from 'node:module'
import type { onnx as Onnx } from 'onnx-proto'
import { GraphError } from './graph-error.ts'

// onnx-proto is CommonJS whose exports Node cannot name.
/** The messages of onnx.proto, as onnx-proto has generated them. */
export const { onnx } = createRequire(import.meta.url)('onnx-proto') as { onnx: typeof Onnx }

/** Field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
export const FIELD = {
  model: {
    irVersion: 1, producerName: 2, producerVersion: 3, domain: 4, modelVersion: 5, docString: 6, graph: 7, opsetImport: 8, metadata: 14, trainingInfo: 20,
    functions: 25,
  },
  trainingInfo: { initialization: 1, algorithm: 2, initializationBinding: 3, updateBinding: 4 },
  graph: {
    node: 1, name: 2, initializer: 5, docString: 10, input: 11, output: 12, valueInfo: 13, quantizationAnnotation: 14,
    sparseInitializer: 15, metadata: 16,
  },
  function: {
    name: 1, input: 4, output: 5, attribute: 6, node: 7, docString: 8, opsetImport: 9, domain: 10, attributeProto: 11, valueInfo: 12, overload: 13, metadata: 14,
  },
  node: { input: 1, output: 2, name: 3, opType: 4, attribute: 5, docString: 6, domain: 7, overload: 8, metadata: 9 },
  attribute: {
    name: 1, i: 3, s: 4, t: 5, g: 6, floats: 7, ints: 8, strings: 9, tensors: 10, graphs: 11, docString: 13, type: 20, refAttrName: 21, sparseTensor: 22,
    sparseTensors: 23,
  },
  sparseTensor: { values: 1, indices: 2 },
  tensor: {
    dims: 1, dataType: 2, segment: 3, floatData: 4, int32Data: 5, stringData: 6, int64Data: 7, name: 8, rawData: 9,
    doubleData: 10, uint64Data: 11, docString: 12, externalData: 13, dataLocation: 14, metadata: 16,
  },
  value: { name: 1, type: 2, docString: 3, metadata: 4 },
  entry: { key: 1, value: 2 },
} as const // biome-ignore format: a table

/** AttributeProto.AttributeType */
export const ATTRIBUTE_TYPE = { int: 2 } as const

/** TensorProto.DataType numbers that are distinguished in code; {@link DATA_TYPES} has them all. */
export const DATA_TYPE = { float: 1, int32: 6, int64: 7, string: 8, float16: 10 } as const

/** How a type of TensorProto.DataType is stored. */
export interface DataType {
  readonly name: string
  /** bits of one element in raw_data; 0 for strings, which are never raw */
  readonly bits: number
  /** the typed field that can hold the values, with its width in the file; 0 is a varint */
  readonly field: number
}

const { floatData, int32Data, int64Data, doubleData, uint64Data, stringData } = FIELD.tensor

/** TensorProto.DataType (onnx.proto; 4-bit types pack two elements a byte, 2-bit types four). */
export const DATA_TYPES: Readonly<Record<number, DataType>> = {
  1: { name: 'float32', bits: 32, field: floatData },
  2: { name: 'uint8', bits: 8, field: int32Data },
  3: { name: 'int8', bits: 8, field: int32Data },
  4: { name: 'uint16', bits: 16, field: int32Data },
  5: { name: 'int16', bits: 16, field: int32Data },
  6: { name: 'int32', bits: 32, field: int32Data },
  7: { name: 'int64', bits: 64, field: int64Data },
  8: { name: 'string', bits: 0, field: stringData },
  9: { name: 'bool', bits: 8, field: int32Data },
  10: { name: 'float16', bits: 16, field: int32Data },
  11: { name: 'float64', bits: 64, field: doubleData },
  12: { name: 'uint32', bits: 32, field: uint64Data },
  13: { name: 'uint64', bits: 64, field: uint64Data },
  14: { name: 'complex64', bits: 64, field: floatData },
  15: { name: 'complex128', bits: 128, field: doubleData },
  16: { name: 'bfloat16', bits: 16, field: int32Data },
  17: { name: 'float8e4m3fn', bits: 8, field: int32Data },
  18: { name: 'float8e4m3fnuz', bits: 8, field: int32Data },
  19: { name: 'float8e5m2', bits: 8, field: int32Data },
  20: { name: 'float8e5m2fnuz', bits: 8, field: int32Data },
  21: { name: 'uint4', bits: 4, field: int32Data },
  22: { name: 'int4', bits: 4, field: int32Data },
  23: { name: 'float4e2m1', bits: 4, field: int32Data },
  24: { name: 'float8e8m0', bits: 8, field: int32Data },
  25: { name: 'uint2', bits: 2, field: int32Data },
  26: { name: 'int2', bits: 2, field: int32Data },
}

/** A TensorProto.DataType as people know it: float32, int4; `type 99` for one that is not known. */
export function dataTypeName(dataType: number): string {
  return DATA_TYPES[dataType]?.name ?? `type ${dataType}`
}

/**
 * Run an onnx-proto decoder on a small message.
 * @throws GraphError for whatever it throws
 */
export function decodeSmall<T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array, what: string): T {
  try {
    return decode(bytes)
  } catch (error) {
    throw new GraphError(`${what} cannot be read: ${(error as Error).message}.`, 'The file is damaged.')
  }
}
