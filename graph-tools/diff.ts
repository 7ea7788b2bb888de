// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { differing, differingFields, messageOf } from './diff-fields.ts'
import { diffNodes } from './diff-nodes.ts'
import { diffWeights } from './diff-weights.ts'
import type { Graph, Model, Value } from './model.ts'
import { dataTypeName, FIELD } from './onnx-types.ts'
import { fields } from './wire.ts'

/** What two models have in common and what not. Lists are empty when they agree. */
export interface Difference {
  readonly isSame: boolean
  readonly header: readonly string[]
  readonly values: readonly string[]
  readonly nodes: readonly string[]
  readonly weights: readonly string[]
  /** metadata_props entries by key that only one has, another number of, or with other values */
  readonly metadata: readonly string[]
  readonly sameNodes: number
  readonly sameWeights: number
}

/**
 * Compare two models by structure and by the content of their weights; where the weights are stored does not matter.
 * Whatever else is in them, known or not, is compared as bytes.
 * @throws GraphError when a weight's bytes cannot be had
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export async function diffModels(a: Model, b: Model): Promise<Difference> {
  const bodies = pairsOf(a.bodies, b.bodies)
  const header = await diffHeader(a, b)
  const values: string[] = []
  for (const [one, other] of bodies) values.push(...(await diffBody(a, one, b, other)))
  const nodes = await diffNodes(a, b)
  const weights = await diffWeights(a, b)
  const metadata = diffMetadata(a, b)
  const all = [header, values, nodes.lines, weights.lines, metadata]
  return {
    isSame: all.every((lines) => lines.length === 0),
    header,
    values,
    nodes: nodes.lines,
    weights: weights.lines,
    metadata,
    sameNodes: nodes.same,
    sameWeights: weights.same,
  }
}

async function diffHeader(a: Model, b: Model): Promise<string[]> {
  const domains = [...new Set([...a.opsets.keys(), ...b.opsets.keys()])]
  const opset = ({ opsets }: Model, domain: string) => opsets.get(domain) ?? 'none'
  const [left, right] = [messageOf(a, a.root), messageOf(b, b.root)]
  // Functions, the graph and those of trainings are compared as bodies.
  const covered = [
    ...['irVersion', 'producerName', 'producerVersion', 'opsetImport'],
    ...['graph', 'functions', 'metadata', 'trainingInfo'],
  ]
  const others = await differingFields(left, right, FIELD.model, covered)
  return [
    ...differing('IR version', a.irVersion, b.irVersion),
    ...differing('producer', a.producer, b.producer),
    ...domains.flatMap((domain) =>
      differing(`opset ${domain || 'ai.onnx'}`, opset(a, domain), opset(b, domain)),
    ),
    ...differing('graphs and functions', a.bodies.length, b.bodies.length),
    ...others.map((name) => `another ${name}`),
    ...(await diffTraining(a, b)),
  ]
}

/** What a TrainingInfoProto has besides its graphs, and which of them it has. */
async function diffTraining(a: Model, b: Model): Promise<string[]> {
  const lines = differing('training_info', a.training.length, b.training.length)
  for (const [i, left] of a.training.entries()) {
    const right = b.training[i]
    if (!right) continue
    const [one, other] = [messageOf(a, left), messageOf(b, right)]
    const { initialization, algorithm } = FIELD.trainingInfo
    const graphs = ({ model, region }: typeof one) =>
      [...fields(model.bytes, region.start, region.end)]
        .map(({ number }) => number)
        .filter((number) => number === initialization || number === algorithm)
    lines.push(...differing('graphs of training_info', graphs(one).join(', '), graphs(other).join(', ')))
    const others = await differingFields(one, other, FIELD.trainingInfo, ['initialization', 'algorithm'])
    lines.push(...others.map((name) => `another ${name} of training_info`))
  }
  return lines
}

/** Bodies are distinguished by their order. */
function pairsOf(a: readonly Graph[], b: readonly Graph[]): (readonly [Graph, Graph])[] {
  return a.flatMap((one, i) => (b[i] ? [[one, b[i]] as const] : []))
}

/** What a graph, subgraph or function has besides nodes and weights. */
async function diffBody(a: Model, left: Graph, b: Model, right: Graph): Promise<string[]> {
  const prefix = left.kind === 'graph' ? '' : `${left.kind} ${left.name}: `
  const schema = left.kind === 'function' ? FIELD.function : FIELD.graph
  const [one, other] = [messageOf(a, left.region), messageOf(b, right.region)]
  const named = left.kind === 'function' ? [] : ['initializer', 'input', 'output', 'valueInfo']
  const others = await differingFields(one, other, schema, ['node', 'metadata', ...named])
  return [
    ...differing('kind', left.kind, right.kind),
    ...(await diffValues('input', a, left.inputs, b, right.inputs)),
    ...(await diffValues('output', a, left.outputs, b, right.outputs)),
    ...(await diffValues('type of', a, left.valueInfo, b, right.valueInfo)),
    ...others.map((name) => `another ${name}`),
  ].map((line) => prefix + line)
}

type Named = Pick<Value, 'name' | 'field'> & Partial<Value>

async function diffValues(
  kind: string,
  a: Model,
  left: readonly Named[],
  b: Model,
  right: readonly Named[],
): Promise<string[]> {
  const others = new Map(right.map((value) => [value.name, value]))
  const names = new Set(left.map(({ name }) => name))
  const lines: string[] = []
  for (const value of left) {
    const other = others.get(value.name)
    const title = `${kind} ${value.name}`
    if (!other) lines.push(`- ${title}`)
    else if (typeOf(value) !== typeOf(other)) lines.push(`${title}: ${typeOf(value)} -> ${typeOf(other)}`)
    else {
      const [one, two] = [messageOf(a, value.field), messageOf(b, other.field)]
      const found = await differingFields(one, two, FIELD.value, ['metadata'])
      lines.push(...found.map((name) => `${title}: another ${name}`))
    }
  }
  lines.push(
    ...right
      .filter(({ name }) => !names.has(name))
      .map((value) => `+ ${kind} ${value.name} ${typeOf(value)}`),
  )
  return [...lines, ...orderLine(`order of ${kind}s`, left, right, lines)]
}

function typeOf({ dataType, shape }: Named): string {
  if (dataType === undefined) return ''
  return `${dataTypeName(dataType)} ${shape ? `[${shape.join(', ')}]` : 'of any shape'}`
}

/** The same names in another order. */
function orderLine(
  what: string,
  left: readonly { readonly name: string }[],
  right: readonly { readonly name: string }[],
  lines: readonly string[],
): string[] {
  if (lines.length > 0) return []
  const at = left.findIndex(({ name }, i) => name !== right[i]?.name)
  return at < 0 ? [] : [`${what}: ${left[at]?.name} -> ${right[at]?.name} at place ${at + 1}`]
}

/** By key: how many entries there are, and what they say, in their order. */
function diffMetadata(a: Model, b: Model): string[] {
  const [left, right] = [metadataByKey(a), metadataByKey(b)]
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((key) => {
    const [one, other] = [left.get(key), right.get(key)]
    const lines = differing(`${key} entries`, one?.count ?? 0, other?.count ?? 0)
    return lines.length > 0 || one?.digest === other?.digest ? lines : [`${key}: other values`]
  })
}

function metadataByKey({ bytes, metadata }: Model): Map<string, { count: number; digest: string }> {
  const byKey = new Map<string, { count: number; digest: string }>()
  for (const { key, field } of metadata) {
    const { count, digest } = byKey.get(key) ?? { count: 0, digest: '' }
    const hash = createHash('sha256').update(digest).update(bytes.read(field.start, field.end))
    byKey.set(key, { count: count + 1, digest: hash.digest('hex') })
  }
  return byKey
}
