// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { duplicateNames } from './duplicates.ts'
import type { Model, Tensor, Value } from './model.ts'
import { dataTypeName } from './onnx-types.ts'
import { byteLength } from './tensor-data.ts'

/* Describing graphs, and data files that they share. */

/** What a model is made of; sizes in bytes. */
export interface Inspection {
  readonly bytes: number
  readonly irVersion: number
  readonly producer: string
  readonly opsets: Readonly<Record<string, number>>
  readonly inputs: readonly ValueSummary[]
  readonly outputs: readonly ValueSummary[]
  /** operator, with its domain unless that is ai.onnx, to how often it occurs in all graphs and functions */
  readonly operators: Readonly<Record<string, number>>
  readonly nodes: number
  readonly subgraphs: number
  readonly functions: readonly string[]
  readonly weights: readonly WeightSummary[]
  readonly external: readonly ExternalSummary[]
  readonly metadata: { readonly entries: number; readonly bytes: number }
  /** names that several initializers of one graph have */
  readonly duplicates: readonly string[]
}

interface ValueSummary {
  readonly name: string
  readonly type: string
  readonly shape: readonly (number | string)[] | undefined
}

interface WeightSummary {
  readonly type: string
  readonly tensors: number
  readonly bytes: number
  readonly inside: number
  readonly outside: number
}

interface ExternalSummary {
  readonly location: string
  readonly tensors: number
  /** bytes that the tensors have together, and that they take in the file: less when some share a range */
  readonly bytes: number
  readonly stored: number
  readonly ranges: readonly ExternalTensor[]
}

interface ExternalTensor {
  /** the file's own text where it is not a byte count */
  readonly offset: number | string
  readonly length: number | string
  /** tensors that have these bytes */
  readonly names: readonly string[]
}

/** Ranges of one data file that several graphs read. */
export interface SharedData {
  readonly location: string
  readonly graphs: readonly string[]
  readonly ranges: number
  readonly bytes: number
}

/**
 * Describe a model's structure without reading its weights.
 * @throws GraphError when a tensor's shape is beyond 2^53 bits
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function inspectModel(model: Model): Inspection {
  const { bytes, irVersion, producer, opsets, graph, bodies, tensors, metadata } = model
  const weights = tensors.filter(({ kind }) => kind !== 'attribute')
  return {
    bytes: bytes.length,
    irVersion,
    producer,
    opsets: Object.fromEntries([...opsets].map(([domain, version]) => [domain || 'ai.onnx', version])),
    inputs: graph.inputs.map(valueSummary),
    outputs: graph.outputs.map(valueSummary),
    operators: countOperators(model),
    nodes: bodies.reduce((sum, body) => sum + body.nodes.length, 0),
    subgraphs: bodies.filter(({ kind }) => kind === 'subgraph').length,
    functions: bodies.filter(({ kind }) => kind === 'function').map(({ name }) => name),
    weights: weightsByType(weights),
    external: externalByLocation(tensors),
    metadata: {
      entries: metadata.length,
      bytes: metadata.reduce((sum, { field }) => sum + field.end - field.tagStart, 0),
    },
    duplicates: duplicateNames(model),
  }
}

/** Operator names, most frequent first. */
function countOperators({ bodies }: Pick<Model, 'bodies'>): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { opType, domain } of bodies.flatMap(({ nodes }) => nodes)) {
    const name = domain === '' ? opType : `${domain}.${opType}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)))
}

function valueSummary({ name, dataType, shape }: Value): ValueSummary {
  return { name, type: dataTypeName(dataType), shape }
}

function weightsByType(tensors: readonly Tensor[]): WeightSummary[] {
  const byType = new Map<string, { tensors: number; bytes: number; inside: number; outside: number }>()
  for (const tensor of tensors) {
    const type = dataTypeName(tensor.dataType)
    const sum = byType.get(type) ?? { tensors: 0, bytes: 0, inside: 0, outside: 0 }
    const bytes = byteLength(tensor) ?? 0
    sum.tensors++
    sum.bytes += bytes
    if (tensor.location !== undefined) sum.outside += bytes
    else sum.inside += bytes
    byType.set(type, sum)
  }
  return [...byType].map(([type, sum]) => ({ type, ...sum })).sort((a, b) => b.bytes - a.bytes)
}

function externalByLocation(tensors: readonly Tensor[]): ExternalSummary[] {
  const byLocation = new Map<string, Map<string, { names: string[] } & ExternalTensor>>()
  for (const tensor of tensors) {
    const { location } = tensor
    if (location === undefined) continue
    const ranges = byLocation.get(location) ?? new Map()
    const [offset, length] = rangeOf(tensor)
    const range = ranges.get(`${offset} ${length}`) ?? { offset, length, names: [] }
    range.names.push(tensor.name)
    byLocation.set(location, ranges.set(`${offset} ${length}`, range))
  }
  return [...byLocation].sort().map(([location, found]) => {
    const ranges = [...found.values()].sort(
      (a, b) => size(a.offset) - size(b.offset) || size(a.length) - size(b.length),
    )
    return {
      location,
      tensors: ranges.reduce((sum, { names }) => sum + names.length, 0),
      bytes: ranges.reduce((sum, { names, length }) => sum + names.length * size(length), 0),
      stored: ranges.reduce((sum, { length }) => sum + size(length), 0),
      ranges,
    }
  })
}

/** Offset and length in bytes, or what stands there instead. */
function rangeOf(tensor: Tensor): [offset: number | string, length: number | string] {
  const read = (key: string, without: number) => {
    const text = tensor.external.get(key)
    if (text === undefined) return without
    return /^\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text
  }
  return [read('offset', 0), read('length', 0) || (byteLength(tensor) ?? 0)]
}

function size(bytes: number | string): number {
  return typeof bytes === 'number' ? bytes : 0
}

/** Data files of which several of these graphs read the same ranges. */
export function sharedData(models: readonly Model[]): SharedData[] {
  const byFile = new Map<
    string,
    { location: string; graphs: Set<string>; readers: Map<string, Set<Model>> }
  >()
  for (const model of models) {
    for (const tensor of model.tensors) {
      const { location } = tensor
      if (location === undefined) continue
      const path = join(model.folder, location)
      const file = byFile.get(path) ?? { location, graphs: new Set(), readers: new Map() }
      const range = rangeOf(tensor).join(' ')
      file.readers.set(range, (file.readers.get(range) ?? new Set()).add(model))
      file.graphs.add(basename(model.path ?? ''))
      byFile.set(path, file)
    }
  }
  return [...byFile.values()].flatMap(({ location, graphs, readers }) => {
    const shared = [...readers]
      .filter(([, own]) => own.size > 1)
      .map(([range]) => Number(range.split(' ')[1]) || 0)
    const bytes = shared.reduce((sum, length) => sum + length, 0)
    return shared.length === 0 ? [] : [{ location, graphs: [...graphs], ranges: shared.length, bytes }]
  })
}
