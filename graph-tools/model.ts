// SPDX-License-Identifier: Apache-2.0

import { dirname, resolve } from 'node:path'
import { Bytes } from './bytes.ts'
import { GraphError } from './graph-error.ts'
import { readModel } from './model-reader.ts'
import type { Region } from './splice.ts'
import type { Field } from './wire.ts'

/** The structure of a serialized ModelProto. Weights are located, never read. */
export interface Model {
  readonly bytes: Bytes
  /** absolute path of the file; undefined for bytes in memory */
  readonly path: string | undefined
  /** the folder that `location`s of external data are relative to */
  readonly folder: string
  readonly root: Region
  readonly irVersion: number
  /** producer name and version */
  readonly producer: string
  /** operator-set domain ('' is ai.onnx) to version */
  readonly opsets: ReadonlyMap<string, number>
  readonly graph: Graph
  /** Every graph and function body in the file, the main one first. */
  readonly bodies: readonly Graph[]
  /** Every tensor in the file: initializers, sparse ones, and those in attributes. */
  readonly tensors: readonly Tensor[]
  /** metadata_props entries, wherever they hang */
  readonly metadata: readonly MetadataEntry[]
  /** TrainingInfoProtos; their graphs are among the bodies */
  readonly training: readonly Region[]
}

/** A GraphProto or FunctionProto (onnx.proto). */
export interface Graph {
  readonly kind: 'graph' | 'subgraph' | 'function' | 'training'
  /** of a function with its domain */
  readonly name: string
  readonly region: Region
  readonly nodes: readonly Node[]
  readonly initializers: readonly Tensor[]
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  /** types of values in between, and of initializers */
  readonly valueInfo: readonly { readonly name: string; readonly field: Field }[]
  /** names of a function's inputs and outputs, which have no types */
  readonly parameters: readonly string[]
  readonly results: readonly string[]
}

/** A graph's input or output. */
export interface Value {
  readonly name: string
  /** TensorProto.DataType; 0 when it is not a tensor or has no type */
  readonly dataType: number
  /** a number or a symbol for each axis, '?' for an unknown one; undefined without a shape */
  readonly shape: readonly (number | string)[] | undefined
  readonly field: Field
}

/** A NodeProto: an operator with its inputs and outputs by name (onnx.proto). */
export interface Node {
  readonly region: Region
  readonly field: Field
  readonly opType: string
  readonly domain: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly inputFields: readonly Field[]
  readonly outputs: readonly string[]
  readonly outputFields: readonly Field[]
  readonly attributes: readonly Attribute[]
}

/** An AttributeProto, as far as it is looked at (onnx.proto). */
export interface Attribute {
  readonly name: string
  readonly region: Region
  readonly field: Field
  readonly i: bigint
  /** holds subgraphs, which are among the model's bodies */
  readonly isGraph: boolean
  /** stands for an attribute of the function that it is in */
  readonly isReference: boolean
  /** the integers of a short list; undefined for a long one */
  readonly ints: readonly bigint[] | undefined
  readonly tensor: Tensor | undefined
}

/** A TensorProto: its type, its shape, and where its bytes are (onnx.proto). */
export interface Tensor {
  /** initializers are a graph's weights; attribute tensors belong to nodes such as Constant */
  readonly kind: 'initializer' | 'sparse' | 'attribute'
  readonly region: Region
  readonly name: string
  readonly dims: readonly number[]
  /** TensorProto.DataType */
  readonly dataType: number
  readonly dataTypeField: Field | undefined
  /** the last one: of a field that is there twice, the last value counts (protobuf.dev, "Last One Wins") */
  readonly rawData: Field | undefined
  readonly rawFields: readonly Field[]
  /** float_data, int32_data and their like; fields of one kind that follow one another are one */
  readonly typedData: readonly Field[]
  /**
   * The data file that holds the bytes, relative to the model's folder and normalized; undefined for a tensor whose bytes
   * are in the model: `data_location` alone decides (onnx.proto, TensorProto.data_location).
   */
  readonly location: string | undefined
  /** key to value of external_data as it stands there */
  readonly external: ReadonlyMap<string, string>
  /** the external_data and data_location fields */
  readonly placement: readonly Field[]
}

/** One metadata_props entry: a StringStringEntryProto within `region` (onnx.proto). */
export interface MetadataEntry {
  readonly region: Region
  readonly field: Field
  readonly key: string
  /** the kind of message that has it */
  readonly owner: 'model' | 'graph' | 'function' | 'node' | 'tensor' | 'value'
}

/**
 * Read the structure of an ONNX file of any size, up to 2^53 bytes, through a window of 64 KiB. Once the file is
 * rewritten the model is stale, and what still reads it is refused: open it again. A change of the folder that was
 * interrupted is to be finished first, with `recover` (commit.ts).
 * @throws GraphError for anything that is not a well-formed model with one graph
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function openModel(path: string): Model {
  const absolute = resolve(path)
  const bytes = openBytes(absolute)
  try {
    return readModel(bytes, absolute, dirname(absolute))
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
    throw new GraphError(`${absolute} is not an ONNX model, or a damaged one: ${error.message}`, error.hint)
  }
}

/**
 * Read the structure of a serialized ModelProto in memory.
 * @param folder what its external data is relative to
 * @throws GraphError for anything that is not a well-formed model with one graph
 */
export function parseModel(bytes: Uint8Array, folder = '.'): Model {
  return readModel(Bytes.of(bytes), undefined, resolve(folder))
}

function openBytes(path: string): Bytes {
  try {
    return Bytes.open(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new GraphError(`There is no file ${path}.`)
    throw error
  }
}
