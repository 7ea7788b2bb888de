// SPDX-License-Identifier: Apache-2.0

import { basename, dirname, join, realPath } from './platform/file-paths.ts'
import { bytesField, numberField, type ProtoField, ProtoFile } from './proto-file.ts'

/* Numbers of fields: onnx/onnx.proto, ModelProto, GraphProto, TensorProto, StringStringEntryProto. */

const GRAPH = 7
const INITIALIZER = 5
const TENSOR = { dims: 1, type: 2, name: 8, rawData: 9, externalData: 13, location: 14 } as const
const ENTRY = { key: 1, value: 2 } as const
const EXTERNAL = 1

/** Smaller weights stay in the graph: a mapping costs a system call and up to two pages. */
const SMALLEST = 1 << 14

/** A graph without its large weights, and the folder that their file is in. */
export interface MappedGraph {
  readonly bytes: Uint8Array
  readonly folder: string
}

/** Bytes of a file that are a weight's values. */
interface Range {
  readonly file: string
  readonly offset: number
  readonly length: number
}

/** A weight to be added to a graph: values at a place in a file. */
export interface MappedWeight extends Range {
  readonly name: string
  /** of onnx.TensorProto.DataType */
  readonly type: number
  readonly dims: readonly number[]
}

/**
 * A graph whose large weights stand inside of it, with them named as external data instead: at their place in the very
 * same file. The runtime maps them then, where it would read and copy them twice.
 * @param path may be a link, as in the hub's cache: the runtime takes external data from the file's own folder alone
 * @returns undefined when it holds no large weight, has other external data, or cannot be read. Then open the file itself:
 *   the error is the runtime's
 */
export function mapInlineWeights(path: string): MappedGraph | undefined {
  const real = realPath(path)
  const file = openProto(real)
  if (file === undefined) return undefined
  try {
    let count = 0
    let hasOthers = false
    const bytes = rewriteTensors(file, (tensor) => {
      hasOthers ||= tensor.some(({ number }) => number === TENSOR.externalData)
      const raw = tensor.find(({ number }) => number === TENSOR.rawData)
      if (raw === undefined || raw.end - raw.body < SMALLEST) return undefined
      count++
      const others = tensor.filter((field) => field !== raw).map(({ start, end }) => file.read(start, end))
      return Buffer.concat([
        ...others,
        externalFields({ file: basename(real), offset: raw.body, length: raw.end - raw.body }),
      ])
    })
    return count > 0 && !hasOthers ? { bytes, folder: dirname(real) } : undefined
  } catch {
    return undefined // it is not a graph, ends too early, or is a folder
  } finally {
    file.close()
  }
}

/**
 * A graph with its external data read into it, and weights of one other file added. A weight that has an input's name
 * stands for it where the input is not fed.
 * @param weights all in one folder
 * @throws RangeError when the graph, or one of its data files, ends too early
 */
export function addMappedWeights(path: string, weights: readonly MappedWeight[]): Buffer {
  const file = new ProtoFile(path)
  try {
    const graph = rewriteTensors(file, (tensor) => {
      const entries = tensor.filter(({ number }) => number === TENSOR.externalData)
      if (entries.length === 0) return undefined
      const kept = tensor.filter(({ number }) => number !== TENSOR.externalData && number !== TENSOR.location)
      const values = readRange(dirname(path), rangeOf(file, entries))
      return Buffer.concat([
        ...kept.map(({ start, end }) => file.read(start, end)),
        bytesField(TENSOR.rawData, values),
      ])
    })
    const tensors = weights.map((weight) => bytesField(INITIALIZER, tensorOf(weight)))
    // messages of one field are merged: the graph continues where it has ended
    return Buffer.concat([graph, bytesField(GRAPH, Buffer.concat(tensors))])
  } finally {
    file.close()
  }
}

/** @param rewrite makes a tensor's new message of its fields; undefined keeps the tensor unchanged */
function rewriteTensors(
  file: ProtoFile,
  rewrite: (tensor: readonly ProtoField[]) => Buffer | undefined,
): Buffer {
  const parts: Buffer[] = []
  for (const field of file.fields()) {
    if (field.number !== GRAPH) parts.push(file.read(field.start, field.end))
    else parts.push(bytesField(GRAPH, Buffer.concat(graphParts(file, field, rewrite))))
  }
  return Buffer.concat(parts)
}

function graphParts(
  file: ProtoFile,
  graph: ProtoField,
  rewrite: (tensor: readonly ProtoField[]) => Buffer | undefined,
): Buffer[] {
  const parts: Buffer[] = []
  for (const { number, start, body, end } of file.fields(graph.body, graph.end)) {
    const tensor = number === INITIALIZER ? rewrite([...file.fields(body, end)]) : undefined
    parts.push(tensor ? bytesField(INITIALIZER, tensor) : file.read(start, end))
  }
  return parts
}

function externalFields({ file, offset, length }: Range): Buffer {
  const entries = { location: file, offset: `${offset}`, length: `${length}` }
  return Buffer.concat([
    ...Object.entries(entries).map(([key, value]) =>
      bytesField(
        TENSOR.externalData,
        Buffer.concat([bytesField(ENTRY.key, key), bytesField(ENTRY.value, value)]),
      ),
    ),
    numberField(TENSOR.location, EXTERNAL),
  ])
}

function tensorOf({ name, type, dims, ...range }: MappedWeight): Buffer {
  return Buffer.concat([
    ...dims.map((size) => numberField(TENSOR.dims, size)),
    numberField(TENSOR.type, type),
    bytesField(TENSOR.name, name),
    externalFields(range),
  ])
}

function rangeOf(file: ProtoFile, entries: readonly ProtoField[]): Range {
  const texts = new Map<string, string>()
  for (const { body, end } of entries) {
    const [key, value] = [ENTRY.key, ENTRY.value].map((wanted) => {
      const field = [...file.fields(body, end)].find(({ number }) => number === wanted)
      return field ? file.read(field.body, field.end).toString() : ''
    }) as [string, string]
    texts.set(key, value)
  }
  const [offset, length] = [Number(texts.get('offset') ?? 0), Number(texts.get('length'))]
  return { file: texts.get('location') ?? '', offset, length }
}

function readRange(folder: string, { file, offset, length }: Range): Buffer {
  if (file !== basename(file)) throw new RangeError(`A weight is in ${file}, wanted a file beside the graph.`)
  const data = new ProtoFile(join(folder, file))
  try {
    return Buffer.from(data.read(offset, offset + length))
  } finally {
    data.close()
  }
}

function openProto(path: string): ProtoFile | undefined {
  try {
    return new ProtoFile(path)
  } catch {
    return undefined
  }
}
