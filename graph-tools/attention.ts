// SPDX-License-Identifier: Apache-2.0

import type { onnx as Onnx } from 'onnx-proto'
import { GraphError } from './graph-error.ts'
import type { Model } from './model.ts'
import { ATTRIBUTE_TYPE, DATA_TYPE, FIELD, onnx } from './onnx-types.ts'
import type { Edit } from './splice.ts'
import { encodeField } from './wire.ts'

/* The attention weights of a decoder, and the output that gives times of words. */

/** A head of the decoder's attention: its layer, and its number among the query heads of the layer. */
export interface Head {
  readonly layer: number
  readonly head: number
}

/** The output of a fused decoder with word alignment. */
export const ALIGNMENT = 'alignment'

/** Heads that the output is the mean of, at most. */
export const MAX_HEADS = 6

/**
 * Names of the attention weights of each layer, f32 [B, KV, G, S, C + S]: what its softmax gives. Those of the last layer
 * have the rows with logits alone.
 * @throws GraphError when the graph is not the fused decoder of a release
 */
export function attentionWeights({ graph, path }: Model): string[] {
  const layers = graph.inputs.filter(({ name }) => /^past_key_values\.\d+\.key$/.test(name)).length
  const names = graph.nodes
    .filter(({ opType }) => opType === 'Softmax')
    .map(({ outputs }) => outputs[0] ?? '')
  if (layers > 0 && names.length === layers) return names
  throw new GraphError(
    `${path ?? 'The graph'} has ${names.length} Softmax nodes for ${layers} layers, wanted one for each.`,
    'Alignment is for the fused decoder of a release: decoder.onnx.',
  )
}

/** Edits that make the attention weights of all layers outputs of the graph. */
export function exposeAttention(model: Model): Edit[] {
  const names = attentionWeights(model)
  return append(
    model,
    names.map((name) => outputField(name)),
  )
}

/**
 * Edits that give a fused decoder the output `alignment`, f32 [B, K, C + S]: for each position that has logits, the mean of
 * the chosen heads' attention to the past and to the new positions.
 * @param groups query heads for each key/value head
 * @throws GraphError when the graph has the output already or is not a fused decoder, or has no such head
 */
export function addAlignment(model: Model, heads: readonly Head[], groups: number): Edit[] {
  const weights = attentionWeights(model)
  const { graph, path } = model
  if (graph.outputs.some(({ name }) => name === ALIGNMENT))
    throw new GraphError(`${path ?? 'The graph'} has the output ${ALIGNMENT} already.`)
  if (heads.length === 0 || heads.length > MAX_HEADS)
    throw new GraphError(`Found ${heads.length} heads for the alignment, wanted 1 to ${MAX_HEADS}.`)
  const keyHeads = graph.inputs.find(({ name }) => name === 'past_key_values.0.key')?.shape?.[1]
  for (const { layer, head } of heads) {
    const isThere = layer < weights.length && typeof keyHeads === 'number' && head < groups * keyHeads
    if (!isThere) throw new GraphError(`${path ?? 'The graph'} has no head ${head} in layer ${layer}.`)
  }
  const parts = makeParts(heads, weights, groups)
  return append(model, [
    ...[...parts.constants].map((tensor) =>
      encodeField(FIELD.graph.initializer, onnx.TensorProto.encode(tensor).finish()),
    ),
    ...parts.nodes.map((node) => encodeField(FIELD.graph.node, onnx.NodeProto.encode(node).finish())),
    outputField(ALIGNMENT, ['B', 'K', 'C + S']),
  ])
}

/**
 * The sum of the heads of inner layers [B, S, C + S], of which the rows that have logits are taken, and of the last layer,
 * which has these rows alone; divided by their number.
 */
function makeParts(heads: readonly Head[], weights: readonly string[], groups: number) {
  const build = new Builder()
  const isLast = ({ layer }: Head) => layer === weights.length - 1
  const sum = (of: readonly Head[], name: string): string | undefined => {
    if (of.length === 0) return undefined
    const chosen = of.map(({ layer, head }) => {
      const group = [weights[layer] as string, build.integers(Math.floor(head / groups))]
      const inner = build.node('Gather', group, `group.${layer}.${head}`, { axis: 1 })
      return build.node('Gather', [inner, build.integers(head % groups)], `head.${layer}.${head}`, {
        axis: 2,
      })
    })
    const all = chosen.length === 1 ? (chosen[0] as string) : build.node('Concat', chosen, name, { axis: 1 })
    return build.node('ReduceSum', [all, build.integers(1, 2)], `${name}.sum`, { keepdims: 0 })
  }
  const inner = sum(
    heads.filter((head) => !isLast(head)),
    'inner',
  )
  const last = sum(heads.filter(isLast), 'last')
  const rows = inner && build.node('GatherND', [inner, endsByRow(build)], 'inner.rows', { batch_dims: 1 })
  const both = rows && last ? build.node('Add', [rows, last], 'both') : ((rows ?? last) as string)
  build.node('Mul', [both, build.float(1 / heads.length)], '')
  return build
}

/** i64 [B * K] -> [B, K, 1] */
function endsByRow(build: Builder): string {
  const ends = build.node('Sub', ['input_lengths', build.integers(1)], 'ends')
  const rows = build.node('Shape', ['past_lengths'], 'batch')
  const shape = build.node('Concat', [rows, build.integers(-1, 1)], 'ends.shape', { axis: 0 })
  return build.node('Reshape', [ends, shape], 'ends.rows')
}

/** New nodes and constants, whose names begin with the output's. */
class Builder {
  readonly nodes: Onnx.INodeProto[] = []
  readonly #constants = new Map<string, Onnx.ITensorProto>()

  get constants(): Iterable<Onnx.ITensorProto> {
    return this.#constants.values()
  }

  node(
    opType: string,
    input: string[],
    name: string,
    integers: Readonly<Record<string, number>> = {},
  ): string {
    const output = name === '' ? ALIGNMENT : `${ALIGNMENT}.${name}`
    const attribute = Object.entries(integers).map(([name, i]) => ({ name, i, type: ATTRIBUTE_TYPE.int }))
    this.nodes.push({ opType, input, output: [output], attribute })
    return output
  }

  integers(...values: number[]): string {
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    return this.#constant(values.join('_').replaceAll('-', 'minus'), {
      ...{ dims: [values.length], dataType: DATA_TYPE.int64, rawData },
    })
  }

  float(value: number): string {
    const rawData = new Uint8Array(Float32Array.of(value).buffer)
    return this.#constant('share', { dims: [], dataType: DATA_TYPE.float, rawData })
  }

  #constant(label: string, tensor: Onnx.ITensorProto): string {
    const name = `${ALIGNMENT}.${label}`
    this.#constants.set(name, { ...tensor, name })
    return name
  }
}

function outputField(name: string, axes?: readonly string[]): Uint8Array {
  const shape = axes && { dim: axes.map((dimParam) => ({ dimParam })) }
  const type = { tensorType: { elemType: DATA_TYPE.float, ...(shape && { shape }) } }
  return encodeField(FIELD.graph.output, onnx.ValueInfoProto.encode({ name, type }).finish())
}

function append({ graph }: Model, content: readonly Uint8Array[]): Edit[] {
  const { end } = graph.region
  return [{ region: graph.region, start: end, end, content }]
}
