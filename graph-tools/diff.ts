import type { Attribute, Model, Node, Tensor, Value } from './model.ts'
import { sameBytes } from './same-bytes.ts'
import { dataTypeName } from './schema.ts'
import { contentOf } from './tensor-data.ts'

/** What two models have in common and what not. Lists are empty when they agree. */
export interface Difference {
  readonly isSame: boolean
  readonly header: readonly string[]
  readonly values: readonly string[]
  readonly nodes: readonly string[]
  readonly weights: readonly string[]
  /** metadata_props entries by key that only one has, or another number of */
  readonly metadata: readonly string[]
  readonly sameNodes: number
  readonly sameWeights: number
}

/**
 * Compare two models by structure and by the content of their weights; where the weights are stored does not matter.
 * @throws GraphError when a weight's bytes cannot be had
 */
export async function diffModels(a: Model, b: Model): Promise<Difference> {
  const header = [
    ...differing('IR version', a.irVersion, b.irVersion),
    ...differing('producer', a.producer, b.producer),
    ...[...new Set([...a.opsets.keys(), ...b.opsets.keys()])].flatMap((domain) =>
      differing(
        `opset ${domain || 'ai.onnx'}`,
        a.opsets.get(domain) ?? 'none',
        b.opsets.get(domain) ?? 'none',
      ),
    ),
  ]
  const values = [
    ...diffValues('input', a.graph.inputs, b.graph.inputs),
    ...diffValues('output', a.graph.outputs, b.graph.outputs),
  ]
  const nodes = await diffNodes(a, b)
  const weights = await diffWeights(a, b)
  const metadata = diffCounts(
    a.metadata.map(({ key }) => key),
    b.metadata.map(({ key }) => key),
  )
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

function differing(what: string, a: unknown, b: unknown): string[] {
  return a === b ? [] : [`${what}: ${a} -> ${b}`]
}

function diffValues(kind: string, a: readonly Value[], b: readonly Value[]): string[] {
  const text = ({ dataType, shape }: Value) => `${dataTypeName(dataType)} [${shape?.join(', ') ?? ''}]`
  const others = new Map(b.map((value) => [value.name, value]))
  const names = new Set(a.map(({ name }) => name))
  return [
    ...a.flatMap((value) => {
      const other = others.get(value.name)
      return other
        ? differing(`${kind} ${value.name}`, text(value), text(other))
        : [`- ${kind} ${value.name}`]
    }),
    ...b.filter(({ name }) => !names.has(name)).map((value) => `+ ${kind} ${value.name} ${text(value)}`),
  ]
}

/** Nodes are told apart by what they compute: their first output's name is unique within a graph. */
async function diffNodes(a: Model, b: Model): Promise<{ lines: string[]; same: number }> {
  const [left, right] = [nodesByOutput(a), nodesByOutput(b)]
  const lines: string[] = []
  let same = 0
  for (const [key, node] of left) {
    const other = right.get(key)
    const changes = other ? await diffNode(a, node, b, other) : ['only in the first']
    if (changes.length === 0) same++
    else lines.push(`${other ? '~' : '-'} ${title(node)}: ${changes.join('; ')}`)
  }
  for (const [key, node] of right) if (!left.has(key)) lines.push(`+ ${title(node)}: only in the second`)
  return { lines, same }
}

function nodesByOutput({ bodies }: Model): Map<string, Node> {
  return new Map(
    bodies.flatMap(({ nodes }, body) =>
      nodes.map(
        (node, i) => [`${body} ${node.outputs.find((name) => name !== '') ?? `node ${i}`}`, node] as const,
      ),
    ),
  )
}

function title({ opType, name, outputs }: Node): string {
  return `${opType} ${name || outputs[0] || ''}`.trim()
}

async function diffNode(a: Model, left: Node, b: Model, right: Node): Promise<string[]> {
  const out = [
    ...differing('operator', `${left.domain}.${left.opType}`, `${right.domain}.${right.opType}`),
    ...differing('inputs', left.inputs.join(', '), right.inputs.join(', ')),
    ...differing('outputs', left.outputs.join(', '), right.outputs.join(', ')),
  ]
  const others = new Map(right.attributes.map((attribute) => [attribute.name, attribute]))
  for (const attribute of left.attributes) {
    const other = others.get(attribute.name)
    others.delete(attribute.name)
    if (!other) out.push(`without ${attribute.name}`)
    else if (!(await sameAttribute(a, attribute, b, other))) out.push(`another ${attribute.name}`)
  }
  return [...out, ...[...others.keys()].map((name) => `with ${name}`)]
}

async function sameAttribute(a: Model, left: Attribute, b: Model, right: Attribute): Promise<boolean> {
  if (left.tensor && right.tensor) return sameTensor(a, left.tensor, b, right.tensor)
  if (left.isGraph && right.isGraph) return true // their nodes are compared on their own
  const [one, other] = [left, right].map(({ field }, i) =>
    (i === 0 ? a : b).bytes.slice(field.start, field.end),
  )
  return one !== undefined && other !== undefined && sameBytes(one, other)
}

async function diffWeights(a: Model, b: Model): Promise<{ lines: string[]; same: number }> {
  const [left, right] = [initializersOf(a), initializersOf(b)]
  const lines: string[] = []
  let same = 0
  for (const [key, tensor] of left) {
    const other = right.get(key)
    if (!other) lines.push(`- ${tensor.name}: only in the first`)
    else if (typeText(tensor) !== typeText(other)) {
      lines.push(`~ ${tensor.name}: ${typeText(tensor)} -> ${typeText(other)}`)
    } else if (await sameTensor(a, tensor, b, other)) same++
    else lines.push(`~ ${tensor.name}: other values`)
  }
  for (const [key, { name }] of right) if (!left.has(key)) lines.push(`+ ${name}: only in the second`)
  return { lines, same }
}

function initializersOf({ bodies }: Model): Map<string, Tensor> {
  return new Map(
    bodies.flatMap(({ initializers }, body) =>
      initializers.map((tensor) => [`${body} ${tensor.name}`, tensor] as const),
    ),
  )
}

function typeText({ dataType, dims }: Tensor): string {
  return `${dataTypeName(dataType)} [${dims.join(', ')}]`
}

async function sameTensor(a: Model, left: Tensor, b: Model, right: Tensor): Promise<boolean> {
  if (typeText(left) !== typeText(right)) return false
  const [one, other] = [contentOf(a, left), contentOf(b, right)]
  if (one && other) return sameBytes(one, other)
  // Strings have no raw form: their fields must be the same as they are.
  const whole = (model: Model, { region }: Tensor) => model.bytes.slice(region.start, region.end)
  return one === other && (left.typedData.length === 0 || sameBytes(whole(a, left), whole(b, right)))
}

function diffCounts(a: readonly string[], b: readonly string[]): string[] {
  const counts = new Map<string, [number, number]>()
  for (const [side, keys] of [a, b].entries()) {
    for (const key of keys) {
      const pair = counts.get(key) ?? [0, 0]
      pair[side as 0 | 1]++
      counts.set(key, pair)
    }
  }
  return [...counts].flatMap(([key, [one, other]]) => differing(`${key} entries`, one, other))
}
