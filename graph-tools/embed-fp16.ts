// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { type FileRange, fileState } from './bytes.ts'
import type { FileChange } from './commit.ts'
import {
  type EmbeddingTable,
  embeddingFp16,
  findEmbedding,
  isFloat32,
  tableContent,
} from './embedding-table.ts'
import { externalFields, moveOut } from './external-data.ts'
import { isRead } from './folder.ts'
import { GraphError } from './graph-error.ts'
import type { Model, Tensor } from './model.ts'
import { ATTRIBUTE_TYPE, DATA_TYPE, FIELD } from './onnx-types.ts'
import { type Place, type Placement, type PlaceOptions, placeWeights } from './place.ts'
import { sameBytes } from './same-bytes.ts'
import type { Edit } from './splice.ts'
import { encodeField, encodeVarintField, type Field } from './wire.ts'

const SUFFIX = '_float16'

/** Where the FP16 table goes. */
export interface EmbeddingOptions {
  /** folder that the table will be in, and the graphs */
  readonly folder: string
  /** the table's file, relative to it */
  readonly location: string
}

/** What turns an FP32 table into an FP16 one; nothing is written yet. */
export interface EmbeddingPlan {
  /** the FP32 tables that become FP16: the same one in each of some graphs; none when that is done already */
  readonly tables: readonly EmbeddingTable[]
  /** [vocab, hidden] */
  readonly shape: readonly [number, number]
  /** edits of each model, in order */
  readonly edits: readonly (readonly Edit[])[]
  /** FP32 tables that nothing reads any more */
  readonly gone: ReadonlySet<Tensor>
  /** the FP16 table; nothing when its file is right already */
  readonly data: readonly FileChange[]
}

/**
 * Plan to read the embedding table, of all graphs that have one, from `location` as FP16, with a Cast after the Gather.
 * @throws GraphError when no graph has a table, the tables differ, or the file holds anything else
 * @see https://onnx.ai/onnx/operators/onnx__Cast.html
 */
export async function planEmbedding(
  models: readonly Model[],
  options: EmbeddingOptions,
): Promise<EmbeddingPlan> {
  const found = models.flatMap((model) => findEmbedding(model) ?? [])
  const [any] = found
  if (!any) {
    throw new GraphError(
      'None of the graphs has an embedding table that input_ids looks up.',
      'Give the graphs that take input_ids (decoder_init.onnx), and those that share their data files.',
    )
  }
  const tables = found.filter(isFloat32)
  await refuseOthers(tables)
  const gone = new Set(tables.flatMap(({ tensor, readers }) => (readers === 1 ? tensor : [])))
  const edits = models.map((model) =>
    tables.filter((table) => table.model === model).flatMap((table) => readFp16(table, options.location)),
  )
  return { tables, shape: any.shape, edits, gone, data: await tableFile(models, tables, gone, options) }
}

/**
 * {@link planEmbedding} for graphs in their own folder: data files that the FP32 table leaves are packed again.
 * @throws GraphError as {@link planEmbedding} and {@link placeWeights}
 */
export async function embedFp16(
  models: readonly Model[],
  options: EmbeddingOptions & PlaceOptions,
): Promise<EmbeddingPlan & Placement> {
  const plan = await planEmbedding(models, options)
  const left = new Set([...plan.gone].flatMap(({ location }) => location ?? []))
  left.delete(options.location)
  const choose = (tensor: Tensor): Place => {
    if (plan.gone.has(tensor)) return 'gone'
    return tensor.location !== undefined && left.has(tensor.location) ? { location: tensor.location } : 'stay'
  }
  const placement = await placeWeights(models, choose, options)
  return {
    ...plan,
    ...placement,
    edits: plan.edits.map((own, i) => [...own, ...(placement.edits[i] ?? [])]),
    data: [...plan.data, ...placement.data],
    locations: new Set([...placement.locations, options.location]),
  }
}

async function refuseOthers([first, ...others]: readonly EmbeddingTable[]): Promise<void> {
  for (const other of others) {
    if (first && (await sameBytes(tableContent(first), tableContent(other)))) continue
    throw new GraphError(
      `${nameOf(other)} has another embedding table than ${first && nameOf(first)}.`,
      'Give graphs of one model.',
    )
  }
}

function nameOf({ model, tensor }: EmbeddingTable): string {
  return `${basename(model.path ?? 'a graph')} (${tensor.name})`
}

/** The file may be right already, hold the FP32 table alone, or not be there. */
async function tableFile(
  models: readonly Model[],
  [table]: readonly EmbeddingTable[],
  gone: ReadonlySet<Tensor>,
  { folder, location }: EmbeddingOptions,
): Promise<FileChange[]> {
  if (!table) return []
  const path = join(folder, location)
  const halves = embeddingFp16(table)
  const change = { path, content: [halves] }
  const there = await rangeOf(path)
  if (!there) return [change]
  const stays = models
    .filter((model) => model.folder === folder)
    .flatMap(({ tensors }) => tensors.filter((tensor) => tensor.location === location && !gone.has(tensor)))
  const [other] = stays
  if (await sameBytes(there, halves)) return []
  if (other) {
    throw new GraphError(
      `${path} holds ${other.name}, which is not the table ${table.tensor.name} as FP16.`,
      'Give it another name with rename-data first.',
    )
  }
  const isOld = isRead(models, folder, location) || (await sameBytes(there, tableContent(table)))
  if (isOld) return [change]
  throw new GraphError(
    `${path} is there already, and is not the table ${table.tensor.name}, neither as FP32 nor as FP16.`,
    'Is it of another model? Move it away.',
  )
}

async function rangeOf(path: string): Promise<FileRange | undefined> {
  try {
    const { size, identity } = fileState(path)
    return { path, identity, start: 0, end: size }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * The Cast follows the Gather, so the node order stays topological. Where other nodes read the FP32 table too, it stays
 * for them.
 */
function readFp16(table: EmbeddingTable, location: string): Edit[] {
  const { model, tensor, gather, readers } = table
  const [input] = gather.inputFields
  const [output] = gather.outputFields
  const [name] = gather.outputs
  if (!input || !output || name === undefined || !tensor.dataTypeField) {
    throw new GraphError('The embedding Gather has no input or output.', 'The file is damaged.')
  }
  const free = freeNames(model)
  const { region } = model.graph
  const looked = free(name + SUFFIX)
  const cast = { region, start: gather.field.end, end: gather.field.end }
  return [
    ...(readers === 1
      ? narrowed(table, location)
      : secondTable(table, input, free(tensor.name + SUFFIX), location)),
    { region: gather.region, ...over(output), content: [encodeField(FIELD.node.output, looked)] },
    { ...cast, content: [castNode(looked, name, free(`${name}_cast`))] },
  ]
}

function over({ tagStart, end }: Field): { start: number; end: number } {
  return { start: tagStart, end }
}

/** The table itself becomes FP16; what is said of its type elsewhere no longer holds. */
function narrowed({ model: { graph }, tensor, shape }: EmbeddingTable, location: string): Edit[] {
  const type = encodeVarintField(FIELD.tensor.dataType, DATA_TYPE.float16)
  return [
    ...(tensor.dataTypeField
      ? [{ region: tensor.region, ...over(tensor.dataTypeField), content: [type] }]
      : []),
    ...moveOut(tensor, location, 0, shape[0] * shape[1] * 2),
    ...graph.valueInfo
      .filter((value) => value.name === tensor.name)
      .map(({ field }) => ({ region: graph.region, ...over(field), content: [] })),
  ]
}

/** The Gather reads an FP16 table beside the FP32 one. */
function secondTable(
  { model: { graph }, gather, shape: [vocab, hidden] }: EmbeddingTable,
  input: Field,
  name: string,
  location: string,
): Edit[] {
  const table = encodeField(
    FIELD.graph.initializer,
    Buffer.concat([
      encodeVarintField(FIELD.tensor.dims, vocab),
      encodeVarintField(FIELD.tensor.dims, hidden),
      encodeVarintField(FIELD.tensor.dataType, DATA_TYPE.float16),
      encodeField(FIELD.tensor.name, name),
      externalFields(location, 0, vocab * hidden * 2),
    ]),
  )
  const { region } = graph
  return [
    { region: gather.region, ...over(input), content: [encodeField(FIELD.node.input, name)] },
    { region, start: region.end, end: region.end, content: [table] },
  ]
}

/** Names are single assignment, in subgraphs too (onnx/docs/IR.md, "Names Within a Graph"). */
function freeNames({ bodies, tensors }: Model): (wanted: string) => string {
  const taken = new Set(tensors.map(({ name }) => name))
  for (const { nodes, inputs, outputs, valueInfo } of bodies) {
    for (const { name } of [...nodes, ...inputs, ...outputs, ...valueInfo]) taken.add(name)
    for (const node of nodes) for (const name of [...node.inputs, ...node.outputs]) taken.add(name)
  }
  return (wanted) => {
    let name = wanted
    for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`
    taken.add(name)
    return name
  }
}

function castNode(input: string, output: string, name: string): Uint8Array {
  const to = Buffer.concat([
    encodeField(FIELD.attribute.name, 'to'),
    encodeVarintField(FIELD.attribute.i, DATA_TYPE.float),
    encodeVarintField(FIELD.attribute.type, ATTRIBUTE_TYPE.int),
  ])
  return encodeField(
    FIELD.graph.node,
    Buffer.concat([
      encodeField(FIELD.node.input, input),
      encodeField(FIELD.node.output, output),
      encodeField(FIELD.node.name, name),
      encodeField(FIELD.node.opType, 'Cast'),
      encodeField(FIELD.node.attribute, to),
    ]),
  )
}
