// SPDX-License-Identifier: Apache-2.0

import { basename } from 'node:path'
import { GraphError } from './graph-error.ts'
import type { Model, Node, Tensor } from './model.ts'
import { dataTypeName } from './onnx-types.ts'
import { movable, type Placement, type PlaceOptions, placeWeights } from './place.ts'
import { sameBytes } from './same-bytes.ts'
import { contentOf } from './tensor-data.ts'

/* One output layer for the decoder graphs of each precision. */

/** The weights of the last matrix product before the logits. */
export interface Head {
  readonly model: Model
  readonly node: Node
  /** the matrix, and of a quantized one its scales and zero points */
  readonly tensors: readonly Tensor[]
}

/** Where the head goes. */
export interface TieOptions extends PlaceOptions {
  /** the data file for heads that are in none yet */
  readonly location?: string
}

/** A placement, and what it ties. */
export interface Tie extends Placement {
  /** graphs by the head they now have in common: one group for each precision */
  readonly groups: readonly (readonly Head[])[]
}

/**
 * Make the decoder graphs of each precision read one lm_head. It is stored once, in the data file of the first graph
 * that has it in one, and the data files it leaves are packed again.
 * @throws GraphError when a graph has no lm_head, two of one precision have different ones, or one has none like its own
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export async function tieHeads(models: readonly Model[], options: TieOptions): Promise<Tie> {
  const heads = models.map(findHead)
  const groups = groupBySignature(heads)
  refuseUnlike(groups)
  const homes = new Map<Tensor, string>()
  for (const group of groups) {
    await refuseDifferent(group)
    const home = homeOf(group, options)
    for (const { tensors } of group) for (const tensor of tensors) homes.set(tensor, home)
  }
  const left = new Set([...homes.keys()].flatMap(({ location }) => location ?? []))
  const placement = await placeWeights(
    models,
    (tensor) => {
      const home = homes.get(tensor)
      if (home !== undefined) return { location: home }
      const { location } = tensor
      return location !== undefined && left.has(location) ? { location } : 'stay'
    },
    options,
  )
  return { ...placement, groups }
}

/** The matrix product that makes `logits`, through whatever only rearranges or converts. */
function findHead(model: Model): Head {
  const producers = new Map(
    model.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)),
  )
  const initializers = new Map(movable(model).map((tensor) => [tensor.name, tensor]))
  let node = producers.get(LOGITS)
  for (let steps = 0; node && steps < MAX_STEPS && PASSED.has(node.opType); steps++) {
    node = producers.get(node.inputs[0] ?? '')
  }
  const tensors = node && PRODUCTS.has(node.opType) ? weightsOf(node, producers, initializers) : []
  if (!node || tensors.length === 0) {
    throw new GraphError(
      `${model.path ?? 'The model'} has no lm_head: no matrix product with a stored matrix makes ${LOGITS}.`,
      'Give decoder graphs.',
    )
  }
  return { model, node, tensors }
}

const LOGITS = 'logits'
const MAX_STEPS = 16
const PASSED = new Set([
  ...['Identity', 'Cast'],
  ...['Reshape', 'Squeeze', 'Unsqueeze', 'Slice', 'Gather', 'Transpose', 'Flatten'],
])
const PRODUCTS = new Set(['MatMul', 'Gemm', 'MatMulNBits', 'MatMulInteger', 'FusedMatMul', 'QGemm'])

/** Initializers behind the inputs but the first, which is the data: directly, or through a conversion. */
function weightsOf(
  node: Node,
  producers: ReadonlyMap<string, Node>,
  initializers: ReadonlyMap<string, Tensor>,
  steps = 0,
): Tensor[] {
  const inputs = steps === 0 ? node.inputs.slice(1) : node.inputs
  return inputs.flatMap((name) => {
    const tensor = initializers.get(name)
    if (tensor) return [tensor]
    const before = producers.get(name)
    const isConversion = before && (PASSED.has(before.opType) || before.opType === 'DequantizeLinear')
    return isConversion && steps < 4 ? weightsOf(before, producers, initializers, steps + 1) : []
  })
}

function groupBySignature(heads: readonly Head[]): Head[][] {
  const groups = new Map<string, Head[]>()
  for (const head of heads) groups.set(signature(head), [...(groups.get(signature(head)) ?? []), head])
  return [...groups.values()]
}

/** Heads of one precision have the same operator and tensors of the same types and shapes. */
function signature({ node, tensors }: Head): string {
  const shapes = tensors.map(({ dataType, dims }) => `${dataTypeName(dataType)} [${dims.join(', ')}]`)
  return `${node.opType} ${shapes.join(', ')}`
}

/** A head that no other graph has is not tied to anything, though that was asked for. */
function refuseUnlike(groups: readonly (readonly Head[])[]): void {
  if (groups.every(({ length }) => length > 1)) return
  const kinds = groups.map((group) => `${group.map(pathOf).join(', ')} (${signature(group[0] as Head)})`)
  throw new GraphError(
    `The graphs have lm_heads of unlike kinds: ${kinds.join('; ')}. Wanted two or more graphs of each kind.`,
    'Give graphs of one export, or leave out the one that has nothing to share.',
  )
}

function pathOf({ model }: Head): string {
  return basename(model.path ?? 'a graph')
}

async function refuseDifferent(group: readonly Head[]): Promise<void> {
  const [first, ...others] = group
  for (const other of others) {
    for (const [i, tensor] of other.tensors.entries()) {
      const wanted = first?.tensors[i]
      const [a, b] = [wanted && first && contentOf(first.model, wanted), contentOf(other.model, tensor)]
      if (a && b && (await sameBytes(a, b))) continue
      throw new GraphError(
        `${other.model.path} has another lm_head than ${first?.model.path}: ${tensor.name} differs from ${wanted?.name}.`,
        'Export or quantize the graphs of one precision together.',
      )
    }
  }
}

function homeOf(group: readonly Head[], { folder, location }: TieOptions): string {
  const outside = group.flatMap(({ model, tensors }) => (model.folder === folder ? tensors : []))
  const found = outside.find((tensor) => tensor.location !== undefined)?.location ?? location
  if (found !== undefined) return found
  throw new GraphError(
    `The lm_head of ${group[0]?.model.path} is inside the graph.`,
    'Name a data file with --data, or externalize first.',
  )
}
