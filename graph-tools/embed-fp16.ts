import { contentOf, moveOut } from './external-data.ts'
import { append, readRange, writeBeside } from './files.ts'
import { narrowToFloat16 } from './float16.ts'
import { GraphError } from './graph-error.ts'
import type { Graph, Model, Node, Tensor } from './model.ts'
import { DATA_TYPE, FIELD } from './schema.ts'
import type { Content, Edit } from './splice.ts'
import { encodeField, encodeVarintField } from './wire.ts'

const ATTRIBUTE_INT = 2
const SUFFIX = '_float16'

export interface EmbeddingTable {
  readonly tensor: Tensor
  readonly gather: Node
  /** [vocab, hidden] */
  readonly shape: readonly [number, number]
}

/**
 * The table that the token ids look up: the FP32 [vocab, hidden] initializer of the Gather that reads `input_ids`.
 * @throws GraphError when there is none, or more than one
 */
export function findEmbedding(graph: Graph): EmbeddingTable {
  const found = graph.nodes.flatMap((gather) => {
    const [data, indices] = gather.inputs
    if (gather.opType !== 'Gather' || gather.domain !== '' || indices !== 'input_ids') return []
    const tensor = graph.initializers.find(({ name }) => name === data)
    const [vocab, hidden] = tensor?.dims ?? []
    return tensor && vocab !== undefined && hidden !== undefined
      ? [{ tensor, gather, shape: [vocab, hidden] as const }]
      : []
  })
  const [table] = found
  if (table === undefined || found.length > 1) {
    throw new GraphError(`Found ${found.length} embedding tables that input_ids looks up, wanted 1.`)
  }
  if (table.tensor.dataType !== DATA_TYPE.float) {
    throw new GraphError(`${table.tensor.name} has data type ${table.tensor.dataType}, wanted FLOAT (1).`)
  }
  return table
}

/**
 * Write the FP32 table as little-endian row-major FP16 (round to nearest even).
 * @throws GraphError naming the row of a value that FP16 cannot hold
 */
export async function writeEmbeddingFp16(
  model: Model,
  table: EmbeddingTable,
  folder: string,
  path: string,
): Promise<number> {
  const content = contentOf(model, table.tensor, folder)
  if (content === undefined) throw new GraphError(`${table.tensor.name} has no bytes.`)
  const width = table.shape[1]
  let values = 0
  await writeBeside(path, async (file) => {
    for await (const chunk of tableChunks(content)) {
      const bits = new Uint32Array(chunk.buffer, chunk.byteOffset, chunk.byteLength / 4)
      const half = new Uint16Array(bits.length)
      const bad = narrowToFloat16(bits, half)
      if (bad >= 0) {
        const row = Math.floor((values + bad) / width)
        const value = new Float32Array(bits.buffer, bits.byteOffset, bits.length)[bad]
        throw new GraphError(
          `${table.tensor.name} row ${row} holds ${value}, which FP16 cannot (largest: 65504).`,
        )
      }
      await append(file, new Uint8Array(half.buffer))
      values += bits.length
    }
  })
  return values * 2
}

/**
 * Edits that make the graph read the table from `location` as FP16 and cast the looked-up rows back to FP32.
 * The Cast follows the Gather, so the node order stays topological.
 */
export function readEmbeddingFp16(table: EmbeddingTable, location: string): Edit[] {
  const { tensor, gather } = table
  const [output] = gather.outputFields
  const [name] = gather.outputs
  if (!output || name === undefined || !tensor.dataTypeField)
    throw new GraphError('The embedding Gather has no output.')
  const bytes = table.shape[0] * table.shape[1] * 2
  const body = gather.region.parent
  if (body === undefined) throw new GraphError('The embedding Gather is in no graph.')
  return [
    {
      region: tensor.region,
      start: tensor.dataTypeField.tagStart,
      end: tensor.dataTypeField.end,
      content: [encodeVarintField(FIELD.tensor.dataType, DATA_TYPE.float16)],
    },
    ...moveOut(tensor, location, 0, bytes),
    {
      region: gather.region,
      start: output.tagStart,
      end: output.end,
      content: [encodeField(FIELD.node.output, name + SUFFIX)],
    },
    { region: body, start: gather.field.end, end: gather.field.end, content: [castNode(name)] },
  ]
}

function castNode(output: string): Uint8Array {
  const to = Buffer.concat([
    encodeField(FIELD.attribute.name, 'to'),
    encodeVarintField(FIELD.attribute.i, DATA_TYPE.float),
    encodeVarintField(20, ATTRIBUTE_INT),
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

/** Chunks whose bytes can be viewed as 32-bit words. */
async function* tableChunks(content: Content): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield Uint8Array.from(content)
  else yield* readRange(content)
}
