// SPDX-License-Identifier: Apache-2.0

import { ALIGNMENT } from './attention.ts'
import type { Model, Node, Value } from './model.ts'
import { DATA_TYPE, dataTypeName } from './onnx-types.ts'

/* What the release contract requires of graphs. */

/**
 * A graph's input or output in the release contract. In its shape a number is a fixed size, an upper-case letter a size of
 * the model, the same wherever it stands, and a lower-case one a dynamic size.
 */
interface Port {
  readonly name: string
  readonly dataType: number
  readonly shape: readonly (number | string)[]
}

interface GraphContract {
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
}

const f32 = (name: string, ...shape: (number | string)[]): Port => ({
  name,
  dataType: DATA_TYPE.float,
  shape,
})
const i64 = (name: string, ...shape: (number | string)[]): Port => ({
  name,
  dataType: DATA_TYPE.int64,
  shape,
})

/** The embedding table's file: graphs may read it, and programs do. */
export const EMBEDDINGS = 'embed_tokens.bin'

/** Sizes of one model by their letters, each with the graph that had it first. */
export type Sizes = Map<string, { readonly size: number; readonly graph: string }>

/** What every program that loads a release relies on: the split layout, and the forced aligner's graph. */
const GRAPH_CONTRACTS: Readonly<Record<string, GraphContract>> = {
  encoder: { inputs: [f32('mel', 1, 128, 't')], outputs: [f32('audio_features', 1, 'n', 'H')] },
  aligner: {
    inputs: [f32('input_embeds', 'b', 's', 'H'), i64('input_lengths', 'b'), i64('slots', 'b', 't')],
    outputs: [f32('logits', 'b', 't', 'C')],
  },
  decoder_init: {
    inputs: [
      i64('input_ids', 1, 's'),
      i64('position_ids', 1, 's'),
      f32('audio_features', 1, 'n', 'H'),
      i64('audio_offset', 1),
    ],
    outputs: [
      f32('logits', 1, 1, 'V'),
      f32('present_keys', 'L', 1, 'K', 's', 'D'),
      f32('present_values', 'L', 1, 'K', 's', 'D'),
    ],
  },
  decoder_step: {
    inputs: [
      f32('input_embeds', 1, 1, 'H'),
      i64('position_ids', 1, 1),
      f32('past_keys', 'L', 1, 'K', 'p', 'D'),
      f32('past_values', 'L', 1, 'K', 'p', 'D'),
    ],
    outputs: [
      f32('logits', 1, 1, 'V'),
      f32('present_keys', 'L', 1, 'K', 'q', 'D'),
      f32('present_values', 'L', 1, 'K', 'q', 'D'),
    ],
  },
}

function logitsOf({ outputs }: Model['graph']): 1 | 'n' {
  const logits = outputs.find(({ name }) => name === 'logits')
  return logits?.shape?.[1] === 1 ? 1 : 'n'
}

/** The fused layout's graph, with past and new keys and values of each layer by themselves. Older releases lack it. */
const FUSED = 'decoder'

/** @param logits for how many positions of a row: graphs of older releases have those of one only */
function fusedContract(layers: number, logits: 1 | 'n'): GraphContract {
  const perLayer = (prefix: string, positions: string) =>
    Array.from({ length: layers }, (_, i) =>
      ['key', 'value'].map((kind) => f32(`${prefix}.${i}.${kind}`, 'b', 'K', positions, 'D')),
    ).flat()
  return {
    inputs: [
      f32('input_embeds', 'b', 's', 'H'),
      i64('input_lengths', 'b*n'),
      i64('past_lengths', 'b'),
      ...perLayer('past_key_values', 'c'),
    ],
    outputs: [f32('logits', 'b', logits, 'V'), ...perLayer('new', 's')],
  }
}

/** What newer releases have in addition. */
function optionalOutputs({ outputs }: Model['graph']): Port[] {
  return outputs.some(({ name }) => name === ALIGNMENT) ? [f32(ALIGNMENT, 'b', 'n', 'w')] : []
}

const OLDEST_OPSET = 18

/**
 * What about a graph breaks the release contract.
 * @param file its file's name: encoder, decoder_init, decoder_step, decoder, aligner, with a precision or without; others are
 *   bound to nothing
 * @param sizes of the graphs of the same model that were looked at before; this one's are added
 */
export function contractProblems(file: string, model: Model, sizes: Sizes = new Map()): string[] {
  const { graph } = model
  const name = file.split('.')[0] ?? ''
  const layers = graph.inputs.filter(({ name }) => /^past_key_values\.\d+\.key$/.test(name)).length
  const contract = name === FUSED ? fusedContract(layers, logitsOf(graph)) : GRAPH_CONTRACTS[name]
  if (!contract) return []
  const problems = [
    ...(name === FUSED ? layerProblems(file, layers, sizes) : []),
    ...contract.inputs.flatMap((port) => portProblems(file, 'input', port, graph.inputs, sizes)),
    ...[...contract.outputs, ...optionalOutputs(graph)].flatMap((port) =>
      portProblems(file, 'output', port, graph.outputs, sizes),
    ),
  ]
  const wanted = new Set(contract.inputs.map((port) => port.name))
  for (const input of graph.inputs) {
    const hasDefault = graph.initializers.some((tensor) => tensor.name === input.name)
    if (!wanted.has(input.name) && !hasDefault)
      problems.push(`requires the input ${input.name}, which readers do not give`)
  }
  if (name === 'aligner') problems.push(...headProblems(graph))
  const opset = model.opsets.get('') ?? 0
  if (opset < OLDEST_OPSET) problems.push(`has opset ${opset}, wanted ${OLDEST_OPSET} or later`)
  return problems
}

/** Bits of the weights of a forced aligner's head at least: it decides about times, and takes few bytes. */
const HEAD_BITS = 8
/** Of MatMulNBits, where a node does not say it (onnxruntime, ContribOperators.md). */
const USUAL_BITS = 4n

/** Whether the product that gives the logits has weights of too few bits. */
function headProblems({ nodes, outputs }: Model['graph']): string[] {
  if (!outputs.some(({ name }) => name === 'logits')) return [] // which is reported already
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)))
  let head: Node | undefined = producers.get('logits')
  while (head && PASSED_ON.has(head.opType)) head = producers.get(head.inputs[0] ?? '')
  if (head?.opType !== 'MatMulNBits') return []
  const bits = head.attributes.find(({ name }) => name === 'bits')?.i ?? USUAL_BITS
  return bits >= HEAD_BITS ? [] : [`has a head of ${bits} bits (${head.name}), wanted at least ${HEAD_BITS}`]
}

/** What leaves values as they are. */
const PASSED_ON = new Set(['Cast', 'Identity', 'Reshape'])

const SPLIT = ['encoder', 'decoder_init', 'decoder_step']
/** The graphs of a precision whose output layer is the embedding table: nothing else can read it. */
const FUSED_ALONE = ['encoder', FUSED]
const OF_ALIGNER = ['encoder', 'aligner']

/**
 * Graphs that a release lacks: one precision at least must have all, where NAME.onnx stands in for NAME.PRECISION.onnx.
 * @param files names of graphs in a folder; nothing is missing where none is a graph of a release
 * @param others names of other files there: one with embed_tokens.PRECISION.json has the fused layout alone
 */
export function missingGraphs(files: readonly string[], others: readonly string[] = []): string[] {
  const there = new Set(files)
  const ofRelease = files.filter(
    (file) => file.endsWith('.onnx') && (file.split('.')[0] ?? '') in GRAPH_CONTRACTS,
  )
  const endings = new Set(ofRelease.map((file) => file.slice(file.indexOf('.'))))
  const byLength = (a: { length: number }, b: { length: number }) => a.length - b.length
  const isAligner = ofRelease.some((file) => file.startsWith('aligner.'))
  const wanted = (ending: string) => {
    if (isAligner) return OF_ALIGNER
    return others.includes(`embed_tokens${ending.replace(/onnx$/, 'json')}`) ? FUSED_ALONE : SPLIT
  }
  const lacks = [...endings].sort(byLength).map((ending) =>
    wanted(ending)
      .filter((name) => !there.has(`${name}.onnx`) && !there.has(name + ending))
      .map((name) => name + ending),
  )
  return lacks.sort(byLength)[0] ?? []
}

function layerProblems(file: string, layers: number, sizes: Sizes): string[] {
  if (layers === 0) return ['has no input past_key_values.0.key, wanted float32 [b, K, c, D]']
  const known = sizes.get('L') ?? { size: layers, graph: file }
  sizes.set('L', known)
  return known.size === layers
    ? []
    : [`has past keys of ${layers} layers, wanted L = ${known.size} as in ${known.graph}`]
}

function portProblems(
  file: string,
  kind: string,
  port: Port,
  found: readonly Value[],
  sizes: Sizes,
): string[] {
  const value = found.find(({ name }) => name === port.name)
  const type = `${dataTypeName(port.dataType)} [${port.shape.join(', ')}]`
  if (!value) return [`has no ${kind} ${port.name}, wanted ${type}`]
  const { shape } = value
  const says = `${dataTypeName(value.dataType)} [${shape?.join(', ') ?? 'no shape'}]`
  const isKind = value.dataType === port.dataType && shape?.length === port.shape.length
  if (!isKind || !port.shape.every((size, axis) => axisFits(size, shape[axis])))
    return [`${kind} ${port.name} is ${says}, wanted ${type}`]
  return port.shape.flatMap((letter, axis) => {
    const size = shape[axis]
    if (typeof letter === 'number' || typeof size !== 'number') return []
    const known = sizes.get(letter) ?? { size, graph: file }
    sizes.set(letter, known)
    if (known.size === size) return []
    return [
      `${kind} ${port.name} is ${says}, wanted ${type} with ${letter} = ${known.size} as in ${known.graph}`,
    ]
  })
}

function axisFits(wanted: number | string, found: number | string | undefined): boolean {
  if (typeof wanted === 'number') return found === wanted
  return typeof found === (wanted === wanted.toLowerCase() ? 'string' : 'number')
}
