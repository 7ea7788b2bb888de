// SPDX-License-Identifier: Apache-2.0

import type { Bytes } from './bytes.ts'
import { normalLocation } from './external-data.ts'
import { GraphError } from './graph-error.ts'
import type { Attribute, Graph, MetadataEntry, Model, Node, Tensor, Value } from './model.ts'
import { decodeSmall, FIELD, onnx } from './onnx-types.ts'
import type { Region } from './splice.ts'
import { type Field, fields, LENGTH, packedVarints, signedValue, text, VARINT } from './wire.ts'

const MAX_DEPTH = 64
/**
 * A file is refused that claims more structure than memory should hold; large exports have some 100,000 fields. Values of
 * lists do not count: nothing is kept of them.
 */
export const MAX_FIELDS = 1 << 20
const MAX_RANK = 64
/** Lists up to here are read: axes and shapes, not tables. */
const SHORT_LIST = 64
const VALUE_LIMIT = 1 << 20

/**
 * Walk a serialized ModelProto once; see {@link Model}.
 * @throws GraphError for anything that is not a well-formed model with one graph
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function readModel(bytes: Bytes, path: string | undefined, folder: string): Model {
  const reader = new Reader(bytes, folder)
  const root: Region = { lengthStart: 0, start: 0, end: bytes.length, parent: undefined }
  const { graphs, ...header } = reader.model(root)
  const [graph] = graphs
  if (graph === undefined || graphs.length > 1) {
    throw new GraphError(
      `The file holds ${graphs.length} graphs, wanted 1.`,
      'Is it an ONNX model? It may be truncated.',
    )
  }
  const { bodies, tensors, metadata, training } = reader
  return { bytes, path, folder, root, ...header, graph, bodies, tensors, metadata, training }
}

interface Header {
  readonly graphs: Graph[]
  readonly irVersion: number
  readonly producer: string
  readonly opsets: Map<string, number>
}

class Reader {
  readonly bodies: Graph[] = []
  readonly tensors: Tensor[] = []
  readonly metadata: MetadataEntry[] = []
  readonly training: Region[] = []
  readonly #bytes: Bytes
  readonly #folder: string
  #fields = 0

  constructor(bytes: Bytes, folder: string) {
    this.#bytes = bytes
    this.#folder = folder
  }

  model(root: Region): Header {
    const opsets = new Map<string, number>()
    const graphs: Graph[] = []
    let [irVersion, producer] = [0, '']
    for (const field of this.#fieldsOf(root)) {
      const number = field.number
      if (number === FIELD.model.irVersion && field.wireType === VARINT)
        irVersion = Number(signedValue(this.#bytes, field))
      if (field.wireType !== LENGTH) continue
      if (number === FIELD.model.graph) graphs.push(this.graph(field, root, 'graph', 0))
      else if (number === FIELD.model.functions) this.function(field, root)
      else if (number === FIELD.model.trainingInfo) this.trainingInfo(field, root)
      else if (number === FIELD.model.metadata) this.addMetadata(field, root, 'model')
      else if (number === FIELD.model.producerName) producer = text(this.#bytes, field)
      else if (number === FIELD.model.producerVersion)
        producer = `${producer} ${text(this.#bytes, field)}`.trim()
      else if (number === FIELD.model.opsetImport) {
        const opset = this.#decode(onnx.OperatorSetIdProto, field, 'An operator set')
        opsets.set(opset.domain ?? '', Number(opset.version ?? 0))
      }
    }
    return { graphs, irVersion, producer, opsets }
  }

  graph(at: Field, parent: Region, kind: Graph['kind'], depth: number): Graph {
    if (depth > MAX_DEPTH) throw new GraphError(`Graphs are nested deeper than ${MAX_DEPTH}.`)
    const region = regionOf(at, parent)
    const nodes: Node[] = []
    const initializers: Tensor[] = []
    const inputs: Value[] = []
    const outputs: Value[] = []
    const valueInfo: Graph['valueInfo'][number][] = []
    const untyped = { parameters: [], results: [] }
    const body = { kind, name: '', region, nodes, initializers, inputs, outputs, valueInfo, ...untyped }
    this.bodies.push(body)
    for (const field of this.#fieldsOf(region)) {
      if (field.wireType !== LENGTH) continue
      const number = field.number
      if (number === FIELD.graph.node) nodes.push(this.node(field, region, depth))
      else if (number === FIELD.graph.initializer)
        initializers.push(this.tensor(field, region, 'initializer'))
      else if (number === FIELD.graph.sparseInitializer) this.sparse(field, region)
      else if (number === FIELD.graph.input) inputs.push(this.value(field, region))
      else if (number === FIELD.graph.output) outputs.push(this.value(field, region))
      else if (number === FIELD.graph.valueInfo) {
        valueInfo.push({ name: this.valueMetadata(field, region), field })
      } else if (number === FIELD.graph.name) body.name = text(this.#bytes, field)
      else if (number === FIELD.graph.metadata) this.addMetadata(field, region, 'graph')
    }
    return body
  }

  function(at: Field, parent: Region): void {
    const region = regionOf(at, parent)
    const nodes: Node[] = []
    const parameters: string[] = []
    const results: string[] = []
    const body = {
      ...{ kind: 'function' as const, name: '', region, nodes, parameters, results },
      ...{ initializers: [], valueInfo: [], inputs: [], outputs: [] },
    }
    this.bodies.push(body)
    let domain = ''
    for (const field of this.#fieldsOf(region)) {
      if (field.wireType !== LENGTH) continue
      const number = field.number
      if (number === FIELD.function.node) nodes.push(this.node(field, region, 0))
      else if (number === FIELD.function.attributeProto) this.attribute(field, region, 0)
      else if (number === FIELD.function.valueInfo) this.valueMetadata(field, region)
      else if (number === FIELD.function.metadata) this.addMetadata(field, region, 'function')
      else if (number === FIELD.function.input) parameters.push(text(this.#bytes, field))
      else if (number === FIELD.function.output) results.push(text(this.#bytes, field))
      else if (number === FIELD.function.name) body.name = text(this.#bytes, field)
      else if (number === FIELD.function.domain) domain = text(this.#bytes, field)
    }
    if (domain !== '') body.name = `${domain}::${body.name}`
  }

  trainingInfo(at: Field, parent: Region): void {
    const region = regionOf(at, parent)
    this.training.push(region)
    for (const field of this.#fieldsOf(region)) {
      const { initialization, algorithm } = FIELD.trainingInfo
      const isGraph = field.number === initialization || field.number === algorithm
      if (isGraph && field.wireType === LENGTH) this.graph(field, region, 'training', 0)
    }
  }

  node(at: Field, parent: Region, depth: number): Node {
    const region = regionOf(at, parent)
    const strings = { opType: '', domain: '', name: '' }
    const inputs: string[] = []
    const outputs: string[] = []
    const inputFields: Field[] = []
    const outputFields: Field[] = []
    const attributes: Attribute[] = []
    for (const field of this.#fieldsOf(region)) {
      if (field.wireType !== LENGTH) continue
      const number = field.number
      if (number === FIELD.node.input) {
        inputs.push(text(this.#bytes, field))
        inputFields.push(field)
      } else if (number === FIELD.node.output) {
        outputs.push(text(this.#bytes, field))
        outputFields.push(field)
      } else if (number === FIELD.node.opType) strings.opType = text(this.#bytes, field)
      else if (number === FIELD.node.domain) strings.domain = text(this.#bytes, field)
      else if (number === FIELD.node.name) strings.name = text(this.#bytes, field)
      else if (number === FIELD.node.attribute) attributes.push(this.attribute(field, region, depth))
      else if (number === FIELD.node.metadata) this.addMetadata(field, region, 'node')
    }
    // 'ai.onnx' is another spelling of the default domain (onnx.proto, OperatorSetIdProto).
    const domain = strings.domain === 'ai.onnx' ? '' : strings.domain
    const wires = { inputs, inputFields, outputs, outputFields }
    return { region, field: at, ...strings, domain, ...wires, attributes }
  }

  attribute(at: Field, parent: Region, depth: number): Attribute {
    const region = regionOf(at, parent)
    const ints: bigint[] = []
    let name = ''
    let i = 0n
    let isReference = false
    let isGraph = false
    let tensor: Tensor | undefined
    for (const field of this.#fieldsOf(region, ATTRIBUTE_LISTS)) {
      const number = field.number
      if (number === FIELD.attribute.i && field.wireType === VARINT) i = signedValue(this.#bytes, field)
      else if (number === FIELD.attribute.ints && isInteger(field) && ints.length <= SHORT_LIST)
        ints.push(...packedVarints(this.#bytes, field, SHORT_LIST))
      if (field.wireType !== LENGTH) continue
      if (number === FIELD.attribute.name) name = text(this.#bytes, field)
      else if (number === FIELD.attribute.t) tensor = this.tensor(field, region, 'attribute')
      else if (number === FIELD.attribute.tensors) this.tensor(field, region, 'attribute')
      else if (number === FIELD.attribute.g || number === FIELD.attribute.graphs) {
        this.graph(field, region, 'subgraph', depth + 1)
        isGraph = true
      } else if (number === FIELD.attribute.refAttrName) isReference = true
      else if (number === FIELD.attribute.sparseTensor || number === FIELD.attribute.sparseTensors) {
        this.sparse(field, region)
      }
    }
    return {
      name,
      region,
      field: at,
      i,
      isGraph,
      isReference,
      ints: ints.length > SHORT_LIST ? undefined : ints,
      tensor,
    }
  }

  sparse(at: Field, parent: Region): void {
    const region = regionOf(at, parent)
    for (const field of this.#fieldsOf(region)) {
      if (field.wireType !== LENGTH) continue
      const { values, indices } = FIELD.sparseTensor
      if (field.number === values || field.number === indices) this.tensor(field, region, 'sparse')
    }
  }

  tensor(at: Field, parent: Region, kind: Tensor['kind']): Tensor {
    const region = regionOf(at, parent)
    const dims: number[] = []
    const external = new Map<string, string>()
    const placement: Field[] = []
    const typedData: Field[] = []
    const rawFields: Field[] = []
    let [name, dataType, isExternal] = ['', 0, false]
    let dataTypeField: Field | undefined
    for (const field of this.#fieldsOf(region, TYPED_DATA)) {
      const number = field.number
      if (number === FIELD.tensor.dims && isInteger(field)) dims.push(...this.#dims(field, dims.length))
      else if (number === FIELD.tensor.dataType && field.wireType === VARINT) {
        dataType = Number(signedValue(this.#bytes, field))
        dataTypeField = field
      } else if (number === FIELD.tensor.dataLocation) {
        placement.push(field)
        isExternal = field.wireType === VARINT && signedValue(this.#bytes, field) === EXTERNAL
      } else if (TYPED_DATA.has(number)) addToRun(typedData, field)
      if (field.wireType !== LENGTH) continue
      if (number === FIELD.tensor.name) name = text(this.#bytes, field)
      else if (number === FIELD.tensor.rawData) rawFields.push(field)
      else if (number === FIELD.tensor.segment) throw new GraphError('Tensors in segments are not supported.')
      else if (number === FIELD.tensor.externalData) {
        placement.push(field)
        const [key, value] = this.#entry(field, region)
        external.set(key, value)
      } else if (number === FIELD.tensor.metadata) this.addMetadata(field, region, 'tensor')
    }
    const found = {
      kind,
      region,
      name,
      dims,
      dataType,
      dataTypeField,
      rawData: rawFields.at(-1),
      rawFields,
      typedData,
      location: isExternal ? normalLocation(external.get('location') ?? '', this.#folder) : undefined,
      external,
      placement,
    }
    this.tensors.push(found)
    return found
  }

  value(at: Field, parent: Region): Value {
    this.valueMetadata(at, parent)
    if (at.end - at.start > VALUE_LIMIT) {
      throw new GraphError(
        `The value at byte ${at.start} has ${at.end - at.start} bytes, wanted at most ${VALUE_LIMIT}.`,
      )
    }
    const { name, type } = this.#decode(onnx.ValueInfoProto, at, 'A graph input or output')
    const shape = type?.tensorType?.shape?.dim?.map(({ dimParam, dimValue }) =>
      dimParam ? dimParam : dimValue === null || dimValue === undefined ? '?' : Number(dimValue),
    )
    return { name: name ?? '', dataType: type?.tensorType?.elemType ?? 0, shape, field: at }
  }

  /** @returns the value's name */
  valueMetadata(at: Field, parent: Region): string {
    const region = regionOf(at, parent)
    let name = ''
    for (const field of this.#fieldsOf(region)) {
      if (field.wireType !== LENGTH) continue
      if (field.number === FIELD.value.name) name = text(this.#bytes, field)
      else if (field.number === FIELD.value.metadata) this.addMetadata(field, region, 'value')
    }
    return name
  }

  addMetadata(field: Field, parent: Region, owner: MetadataEntry['owner']): void {
    let key = ''
    for (const part of this.#fieldsOf(regionOf(field, parent))) {
      if (part.number === FIELD.entry.key && part.wireType === LENGTH) key = text(this.#bytes, part)
    }
    this.metadata.push({ region: parent, field, key, owner })
  }

  #entry(at: Field, parent: Region): [string, string] {
    let [key, value] = ['', '']
    for (const field of this.#fieldsOf(regionOf(at, parent))) {
      if (field.wireType !== LENGTH) continue
      if (field.number === FIELD.entry.key) key = text(this.#bytes, field)
      else if (field.number === FIELD.entry.value) value = text(this.#bytes, field)
    }
    return [key, value]
  }

  #dims(field: Field, before: number): number[] {
    const dims = packedVarints(this.#bytes, field, MAX_RANK).map(Number)
    if (before + dims.length > MAX_RANK) {
      throw new GraphError(`The tensor at byte ${field.tagStart} has more than ${MAX_RANK} dimensions.`)
    }
    const wrong = dims.find((size) => size < 0 || !Number.isSafeInteger(size))
    if (wrong !== undefined)
      throw new GraphError(`The tensor at byte ${field.tagStart} has a dimension of ${wrong}.`)
    return dims
  }

  #decode<T>(type: { decode(bytes: Uint8Array): T }, at: Field, what: string): T {
    return decodeSmall((bytes) => type.decode(bytes), this.#bytes.read(at.start, at.end), what)
  }

  *#fieldsOf({ start, end }: Region, lists: ReadonlySet<number> = NONE): Generator<Field> {
    for (const field of fields(this.#bytes, start, end)) {
      if (!lists.has(field.number) && ++this.#fields > MAX_FIELDS) {
        throw new GraphError(`The model has more than ${MAX_FIELDS} fields.`, 'Is it an ONNX model?')
      }
      yield field
    }
  }
}

const { floatData, int32Data, stringData, int64Data, doubleData, uint64Data } = FIELD.tensor
const TYPED_DATA = new Set<number>([floatData, int32Data, stringData, int64Data, doubleData, uint64Data])

const NONE: ReadonlySet<number> = new Set()
/** Lists of which every value can be a field: those of a tree ensemble have millions. */
const ATTRIBUTE_LISTS = new Set<number>([
  FIELD.attribute.floats,
  FIELD.attribute.ints,
  FIELD.attribute.strings,
])

/** Fields of one kind that follow one another are kept as one, from the first tag to the last payload. */
function addToRun(runs: Field[], field: Field): void {
  const last = runs.at(-1)
  const goesOn =
    last?.number === field.number && last.wireType === field.wireType && last.end === field.tagStart
  if (last && goesOn) runs[runs.length - 1] = { ...last, end: field.end }
  else runs.push(field)
}

/** TensorProto.DataLocation */
const EXTERNAL = 1n

/** A field of another wire type than its own is an unknown one. */
function isInteger({ wireType }: Field): boolean {
  return wireType === VARINT || wireType === LENGTH
}

function regionOf(field: Field, parent: Region): Region {
  return { lengthStart: field.lengthStart, start: field.start, end: field.end, parent }
}
