// SPDX-License-Identifier: Apache-2.0

import type { Content, Produced } from './bytes.ts'
import { pieceChunks } from './files.ts'
import { makeNarrower } from './float16-simd.ts'
import { GraphError } from './graph-error.ts'
import type { Model, Node, Tensor } from './model.ts'
import { DATA_TYPE, dataTypeName } from './onnx-types.ts'
import { contentOf } from './tensor-data.ts'

/** The table that token ids look up. */
export interface EmbeddingTable {
  readonly model: Model
  readonly tensor: Tensor
  readonly gather: Node
  /** [vocab, hidden] */
  readonly shape: readonly [number, number]
  /** inputs of nodes that read the table, in subgraphs too */
  readonly readers: number
}

/**
 * The table that the token ids look up: the [vocab, hidden] initializer of the Gather that reads `input_ids`.
 * @returns undefined when no Gather of an initializer reads `input_ids`
 * @throws GraphError when there is more than one, it is neither float32 nor float16, or the graph's callers see it: a
 * graph input or output keeps its type
 * @see https://onnx.ai/onnx/operators/onnx__Gather.html
 */
export function findEmbedding(model: Model): EmbeddingTable | undefined {
  const { graph } = model
  const initializers = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]))
  const found = graph.nodes.flatMap((gather): EmbeddingTable[] => {
    const [data = '', indices] = gather.inputs
    if (gather.opType !== 'Gather' || gather.domain !== '' || indices !== 'input_ids') return []
    const tensor = initializers.get(data)
    const [vocab, hidden, more] = tensor?.dims ?? []
    if (!tensor || vocab === undefined || hidden === undefined || more !== undefined) return []
    return [{ model, tensor, gather, shape: [vocab, hidden], readers: countReaders(model, data) }]
  })
  const [table] = found
  if (found.length > 1) {
    throw new GraphError(
      `Found ${found.length} embedding tables that input_ids looks up, wanted 1.`,
      'Is this a graph of Qwen3-ASR?',
    )
  }
  if (table) refuseUnfit(table)
  return table
}

/** Whether a table is stored as float32. */
export function isFloat32({ tensor }: EmbeddingTable): boolean {
  return tensor.dataType === DATA_TYPE.float
}

/**
 * A float32 table's bytes.
 * @throws GraphError when it has none, or they are not those of its shape
 */
export function tableContent({ model, tensor }: EmbeddingTable): Content {
  const content = contentOf(model, tensor)
  if (content === undefined) throw new GraphError(`${tensor.name} has no bytes.`, 'The file is damaged.')
  return content
}

/**
 * The table as little-endian row-major FP16, rounded to nearest even, converted while it is written.
 * @throws GraphError as {@link tableContent}, and while it is written one that names the row of a value that FP16 cannot hold
 */
export function embeddingFp16(table: EmbeddingTable): Produced {
  const content = tableContent(table)
  const [vocab, hidden] = table.shape
  return { length: vocab * hidden * 2, produce: () => halves(content, table.tensor, hidden) }
}

function refuseUnfit({ model: { graph }, tensor: { name, dataType } }: EmbeddingTable): void {
  if (dataType !== DATA_TYPE.float && dataType !== DATA_TYPE.float16) {
    throw new GraphError(
      `${name} is ${dataTypeName(dataType)}, wanted float32.`,
      'Only a float32 table can be stored as FP16.',
    )
  }
  for (const [side, values] of [['an input', graph.inputs] as const, ['an output', graph.outputs] as const]) {
    if (dataType === DATA_TYPE.float && values.some((value) => value.name === name)) {
      throw new GraphError(
        `The table ${name} is ${side} of the graph too, whose callers see its type.`,
        `Remove it from the graph's ${side === 'an input' ? 'inputs' : 'outputs'} first.`,
      )
    }
  }
}

function countReaders({ bodies }: Model, name: string): number {
  return bodies
    .flatMap(({ nodes }) => nodes)
    .flatMap(({ inputs }) => inputs)
    .filter((input) => input === name).length
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

/** Little-endian 32-bit words; copied when they do not start on a word. */
function wordsOf(chunk: Uint8Array): Uint32Array {
  const whole = chunk.byteOffset % 4 === 0 ? chunk : Uint8Array.from(chunk)
  return new Uint32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4)
}
