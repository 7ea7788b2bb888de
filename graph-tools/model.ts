import { GraphError } from './graph-error.ts'
import { DATA_TYPE, FIELD, onnx } from './schema.ts'
import type { Region } from './splice.ts'
import { type Field, fields, LENGTH, readVarint, signedValue, text } from './wire.ts'

const MAX_DEPTH = 64

export interface Model {
  readonly bytes: Uint8Array
  readonly root: Region
  /** operator-set domain ('' is ai.onnx) to version */
  readonly opsets: ReadonlyMap<string, number>
  readonly graph: Graph
  /** Every graph and function body in the file, the main one first. */
  readonly bodies: readonly Graph[]
  /** metadata_props entries, wherever they hang */
  readonly metadata: readonly MetadataEntry[]
}

export interface Graph {
  readonly region: Region
  readonly nodes: readonly Node[]
  readonly initializers: readonly Tensor[]
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

export interface Node {
  readonly region: Region
  readonly field: Field
  readonly opType: string
  readonly domain: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly outputFields: readonly Field[]
  readonly attributes: readonly Attribute[]
}

export interface Attribute {
  readonly name: string
  readonly field: Field
  readonly i: bigint
  readonly tensor: Tensor | undefined
}

export interface Tensor {
  readonly region: Region
  readonly name: string
  readonly dims: readonly number[]
  readonly dataType: number
  readonly dataTypeField: Field | undefined
  readonly rawData: Field | undefined
  /** key to value of external_data, empty for a tensor whose bytes are in the file */
  readonly external: ReadonlyMap<string, string>
  /** the external_data and data_location fields */
  readonly placement: readonly Field[]
}

export interface MetadataEntry {
  readonly region: Region
  readonly field: Field
  readonly key: string
}

/**
 * Read the structure of a serialized ModelProto; weights are located, not copied.
 * @param bytes the whole file
 * @throws GraphError for anything that is not a well-formed model with one graph
 */
export function parseModel(bytes: Uint8Array): Model {
  const root: Region = { lengthStart: 0, start: 0, end: bytes.length, parent: undefined }
  const reader = new Reader(bytes)
  const opsets = new Map<string, number>()
  const graphs: Graph[] = []
  for (const field of fields(bytes, 0, bytes.length)) {
    if (field.wireType !== LENGTH) continue
    if (field.number === FIELD.model.graph) graphs.push(reader.graph(field, root, 0))
    else if (field.number === FIELD.model.functions) reader.functionBody(field, root)
    else if (field.number === FIELD.model.metadata) reader.addMetadata(field, root)
    else if (field.number === FIELD.model.opsetImport) {
      const opset = onnx.OperatorSetIdProto.decode(bytes.subarray(field.start, field.end))
      opsets.set(opset.domain ?? '', Number(opset.version ?? 0))
    }
  }
  const [graph] = graphs
  if (graph === undefined || graphs.length > 1) {
    throw new GraphError(
      `The file holds ${graphs.length} graphs, wanted 1.`,
      'Is it an ONNX model? It may be truncated.',
    )
  }
  return { bytes, root, opsets, graph, bodies: reader.bodies, metadata: reader.metadata }
}

/**
 * The values of a small INT64 tensor: raw_data, int64_data, decoded with onnx-proto's types.
 * @returns undefined when the bytes are outside the file or of another type
 */
export function int64Values(bytes: Uint8Array, tensor: Tensor): bigint[] | undefined {
  if (tensor.external.size > 0 || tensor.dataType !== DATA_TYPE.int64) return undefined
  const proto = onnx.TensorProto.decode(bytes.subarray(tensor.region.start, tensor.region.end))
  const raw = proto.rawData
  if (raw && raw.length > 0) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
    return Array.from({ length: raw.length >> 3 }, (_, i) => view.getBigInt64(8 * i, true))
  }
  return (proto.int64Data ?? []).map((value) => BigInt(value.toString()))
}

/** Walks the nested messages once, collecting bodies and metadata on the way. */
class Reader {
  readonly bodies: Graph[] = []
  readonly metadata: MetadataEntry[] = []
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  graph(at: Field, parent: Region, depth: number): Graph {
    if (depth > MAX_DEPTH) throw new GraphError(`Graphs are nested deeper than ${MAX_DEPTH}.`)
    const region = regionOf(at, parent)
    const nodes: Node[] = []
    const initializers: Tensor[] = []
    const inputs: string[] = []
    const outputs: string[] = []
    const body: Graph = { region, nodes, initializers, inputs, outputs }
    this.bodies.push(body)
    for (const field of fields(this.#bytes, region.start, region.end)) {
      if (field.wireType !== LENGTH) continue
      const number = field.number
      if (number === FIELD.graph.node) nodes.push(this.node(field, region, depth))
      else if (number === FIELD.graph.initializer) initializers.push(this.tensor(field, region))
      else if (number === FIELD.graph.input) inputs.push(this.value(field, region))
      else if (number === FIELD.graph.output) outputs.push(this.value(field, region))
      else if (number === FIELD.graph.valueInfo) this.value(field, region)
      else if (number === FIELD.graph.metadata) this.addMetadata(field, region)
    }
    return body
  }

  functionBody(at: Field, parent: Region): void {
    const region = regionOf(at, parent)
    const nodes: Node[] = []
    this.bodies.push({ region, nodes, initializers: [], inputs: [], outputs: [] })
    for (const field of fields(this.#bytes, region.start, region.end)) {
      if (field.wireType !== LENGTH) continue
      if (field.number === FIELD.function.node) nodes.push(this.node(field, region, 0))
      else if (field.number === FIELD.function.metadata) this.addMetadata(field, region)
    }
  }

  node(at: Field, parent: Region, depth: number): Node {
    const region = regionOf(at, parent)
    const strings = { opType: '', domain: '', name: '' }
    const inputs: string[] = []
    const outputs: string[] = []
    const outputFields: Field[] = []
    const attributes: Attribute[] = []
    for (const field of fields(this.#bytes, region.start, region.end)) {
      if (field.wireType !== LENGTH) continue
      const number = field.number
      if (number === FIELD.node.input) inputs.push(text(this.#bytes, field))
      else if (number === FIELD.node.output) {
        outputs.push(text(this.#bytes, field))
        outputFields.push(field)
      } else if (number === FIELD.node.opType) strings.opType = text(this.#bytes, field)
      else if (number === FIELD.node.domain) strings.domain = text(this.#bytes, field)
      else if (number === FIELD.node.name) strings.name = text(this.#bytes, field)
      else if (number === FIELD.node.attribute) attributes.push(this.attribute(field, region, depth))
      else if (number === FIELD.node.metadata) this.addMetadata(field, region)
    }
    return { region, field: at, ...strings, inputs, outputs, outputFields, attributes }
  }

  attribute(at: Field, parent: Region, depth: number): Attribute {
    const region = regionOf(at, parent)
    let name = ''
    let i = 0n
    let tensor: Tensor | undefined
    for (const field of fields(this.#bytes, region.start, region.end)) {
      const number = field.number
      if (number === FIELD.attribute.i) i = signedValue(this.#bytes, field)
      if (field.wireType !== LENGTH) continue
      if (number === FIELD.attribute.name) name = text(this.#bytes, field)
      else if (number === FIELD.attribute.t) tensor = this.tensor(field, region)
      else if (number === FIELD.attribute.tensors) this.tensor(field, region)
      else if (number === FIELD.attribute.g || number === FIELD.attribute.graphs)
        this.graph(field, region, depth + 1)
    }
    return { name, field: at, i, tensor }
  }

  tensor(at: Field, parent: Region): Tensor {
    const region = regionOf(at, parent)
    const dims: number[] = []
    const external = new Map<string, string>()
    const placement: Field[] = []
    let name = ''
    let dataType = 0
    let dataTypeField: Field | undefined
    let rawData: Field | undefined
    for (const field of fields(this.#bytes, region.start, region.end)) {
      const number = field.number
      if (number === FIELD.tensor.dims) dims.push(...this.#numbers(field))
      else if (number === FIELD.tensor.dataType) {
        dataType = Number(signedValue(this.#bytes, field))
        dataTypeField = field
      } else if (number === FIELD.tensor.name) name = text(this.#bytes, field)
      else if (number === FIELD.tensor.rawData) rawData = field
      else if (number === FIELD.tensor.dataLocation) placement.push(field)
      else if (number === FIELD.tensor.externalData) {
        placement.push(field)
        const entry = onnx.StringStringEntryProto.decode(this.#bytes.subarray(field.start, field.end))
        external.set(entry.key ?? '', entry.value ?? '')
      } else if (number === FIELD.tensor.metadata) this.addMetadata(field, region)
    }
    return { region, name, dims, dataType, dataTypeField, rawData, external, placement }
  }

  value(at: Field, parent: Region): string {
    const region = regionOf(at, parent)
    let name = ''
    for (const field of fields(this.#bytes, region.start, region.end)) {
      if (field.number === 1) name = text(this.#bytes, field)
      else if (field.number === FIELD.value.metadata) this.addMetadata(field, region)
    }
    return name
  }

  addMetadata(field: Field, region: Region): void {
    const entry = onnx.StringStringEntryProto.decode(this.#bytes.subarray(field.start, field.end))
    this.metadata.push({ region, field, key: entry.key ?? '' })
  }

  /** Packed or not: both spellings of a repeated varint are legal. */
  *#numbers(field: Field): Generator<number> {
    if (field.wireType !== LENGTH) {
      yield Number(signedValue(this.#bytes, field))
      return
    }
    for (let position = field.start; position < field.end; ) {
      const [value, next] = readVarint(this.#bytes, position, field.end)
      yield Number(BigInt.asIntN(64, value))
      position = next
    }
  }
}

function regionOf(field: Field, parent: Region): Region {
  return { lengthStart: field.lengthStart, start: field.start, end: field.end, parent }
}
