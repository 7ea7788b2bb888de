import type { Content, Produced } from './bytes.ts'
import { externalFields, moveOut } from './external-data.ts'
import { pieceChunks } from './files.ts'
import { makeNarrower } from './float16-simd.ts'
import { GraphError } from './graph-error.ts'
import type { Graph, Model, Node, Tensor } from './model.ts'
import { ATTRIBUTE_TYPE, DATA_TYPE, dataTypeName, FIELD } from './schema.ts'
import type { Edit } from './splice.ts'
import { contentOf } from './tensor-data.ts'
import { encodeField, encodeVarintField, type Field } from './wire.ts'

const SUFFIX = '_float16'

export interface EmbeddingTable {
  readonly tensor: Tensor
  readonly gather: Node
  /** [vocab, hidden] */
  readonly shape: readonly [number, number]
  /** nodes that read the table, in subgraphs too */
  readonly readers: number
}

/**
 * The table that the token ids look up: the FP32 [vocab, hidden] initializer of the Gather that reads `input_ids`.
 * @returns undefined when no Gather of an initializer reads `input_ids`, or the table is FP16 already
 * @throws GraphError when there is more than one, or it is of another type
 */
export function findEmbedding(model: Model): EmbeddingTable | undefined {
  const { graph } = model
  const initializers = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]))
  const found = graph.nodes.flatMap((gather) => {
    const [data = '', indices] = gather.inputs
    if (gather.opType !== 'Gather' || gather.domain !== '' || indices !== 'input_ids') return []
    const tensor = initializers.get(data)
    const [vocab, hidden, more] = tensor?.dims ?? []
    return tensor && vocab !== undefined && hidden !== undefined && more === undefined
      ? [{ tensor, gather, shape: [vocab, hidden] as const, readers: countReaders(model, data) }]
      : []
  })
  const [table] = found
  if (found.length > 1) {
    throw new GraphError(`Found ${found.length} embedding tables that input_ids looks up, wanted 1.`)
  }
  if (table === undefined || table.tensor.dataType === DATA_TYPE.float16) return undefined
  if (table.tensor.dataType !== DATA_TYPE.float) {
    throw new GraphError(`${table.tensor.name} is ${dataTypeName(table.tensor.dataType)}, wanted float32.`)
  }
  return table
}

function countReaders({ bodies }: Model, name: string): number {
  return bodies.flatMap(({ nodes }) => nodes).filter(({ inputs }) => inputs.includes(name)).length
}

/**
 * The table as little-endian row-major FP16, rounded to nearest even, converted while it is written.
 * @throws GraphError, while being written, naming the row of a value that FP16 cannot hold
 */
export function embeddingFp16(model: Model, { tensor, shape }: EmbeddingTable): Produced {
  const content = contentOf(model, tensor)
  if (content === undefined) throw new GraphError(`${tensor.name} has no bytes.`)
  return { length: shape[0] * shape[1] * 2, produce: () => halves(content, tensor, shape[1]) }
}

async function* halves(content: Content, tensor: Tensor, width: number): AsyncGenerator<Uint8Array> {
  const narrow = makeNarrower()
  let values = 0
  for await (const chunk of pieceChunks(content)) {
    const bits = wordsOf(chunk)
    const half = new Uint16Array(bits.length)
    const bad = narrow(bits, half)
    if (bad >= 0) {
      const value = new Float32Array(bits.buffer, bits.byteOffset, bits.length)[bad]
      throw new GraphError(
        `${tensor.name} row ${Math.floor((values + bad) / width)} holds ${value}, which FP16 cannot (largest: 65504).`,
        'Keep the table in FP32: leave embed-fp16 out.',
      )
    }
    values += bits.length
    yield new Uint8Array(half.buffer)
  }
}

/**
 * Edits that make the graph read the table from `location` as FP16 and cast the looked-up rows back to FP32. The Cast
 * follows the Gather, so the node order stays topological. Where other nodes read the FP32 table too, it stays for them.
 * @returns the edits, and whether the FP32 table is gone
 */
export function readEmbeddingFp16(
  graph: Graph,
  table: EmbeddingTable,
  location: string,
): { edits: readonly Edit[]; isGone: boolean } {
  const { tensor, gather, shape } = table
  const [input] = gather.inputFields
  const [output] = gather.outputFields
  const [name] = gather.outputs
  if (!input || !output || name === undefined || !tensor.dataTypeField) {
    throw new GraphError('The embedding Gather has no input or output.')
  }
  const isGone = table.readers === 1
  const replace = (field: Field, content: Uint8Array): Edit => ({
    region: gather.region,
    start: field.tagStart,
    end: field.end,
    content: [content],
  })
  const after = (field: Field, content: Uint8Array): Edit => ({
    region: graph.region,
    start: field.end,
    end: field.end,
    content: [content],
  })
  const { dataTypeField } = tensor
  const moved = isGone
    ? [
        {
          region: tensor.region,
          start: dataTypeField.tagStart,
          end: dataTypeField.end,
          content: [encodeVarintField(FIELD.tensor.dataType, DATA_TYPE.float16)],
        },
        ...moveOut(tensor, location, 0, shape[0] * shape[1] * 2),
        // What is said of the table's type elsewhere no longer holds.
        ...graph.valueInfo
          .filter((value) => value.name === tensor.name)
          .map(({ field }) => ({ region: graph.region, start: field.tagStart, end: field.end, content: [] })),
      ]
    : [
        replace(input, encodeField(FIELD.node.input, tensor.name + SUFFIX)),
        {
          region: graph.region,
          start: graph.region.end,
          end: graph.region.end,
          content: [newTable(table, location)],
        },
      ]
  return {
    isGone,
    edits: [
      ...moved,
      replace(output, encodeField(FIELD.node.output, name + SUFFIX)),
      after(gather.field, castNode(name)),
    ],
  }
}

function newTable({ tensor, shape }: EmbeddingTable, location: string): Uint8Array {
  const [vocab, hidden] = shape
  return encodeField(
    FIELD.graph.initializer,
    Buffer.concat([
      encodeVarintField(FIELD.tensor.dims, vocab),
      encodeVarintField(FIELD.tensor.dims, hidden),
      encodeVarintField(FIELD.tensor.dataType, DATA_TYPE.float16),
      encodeField(FIELD.tensor.name, tensor.name + SUFFIX),
      externalFields(location, 0, vocab * hidden * 2),
    ]),
  )
}

function castNode(output: string): Uint8Array {
  const to = Buffer.concat([
    encodeField(FIELD.attribute.name, 'to'),
    encodeVarintField(FIELD.attribute.i, DATA_TYPE.float),
    encodeVarintField(FIELD.attribute.type, ATTRIBUTE_TYPE.int),
  ])
  return encodeField(
    FIELD.graph.node,
    Buffer.concat([
      encodeField(FIELD.node.input, output + SUFFIX),
      encodeField(FIELD.node.output, output),
      encodeField(FIELD.node.name, `${output}_cast`),
      encodeField(FIELD.node.opType, 'Cast'),
      encodeField(FIELD.node.attribute, to),
    ]),
  )
}

/** Little-endian 32-bit words; copied when they do not start on a word. */
function wordsOf(chunk: Uint8Array): Uint32Array {
  const whole = chunk.byteOffset % 4 === 0 ? chunk : Uint8Array.from(chunk)
  return new Uint32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4)
}
