// SPDX-License-Identifier: Apache-2.0

import { differing, differingFields, messageOf } from './diff-fields.ts'
import { sameTensor } from './diff-weights.ts'
import type { Attribute, Model, Node } from './model.ts'
import { FIELD } from './onnx-types.ts'
import { fields } from './wire.ts'

/**
 * Compare the nodes of all graphs and functions, their order too.
 * @returns what differs, line by line, and how many are the same
 * @throws GraphError when the bytes of a tensor in a node cannot be had
 */
export async function diffNodes(a: Model, b: Model): Promise<{ lines: string[]; same: number }> {
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
  const [keys, others] = [[...left.keys()], [...right.keys()].filter((key) => left.has(key))]
  const moved = keys.filter((key) => right.has(key)).find((key, i) => key !== others[i])
  const node = moved === undefined ? undefined : left.get(moved)
  if (node) lines.push(`~ ${title(node)}: at another place in the order`)
  return { lines, same }
}

/** Nodes are distinguished by what they compute: their first output's name is unique within a graph. */
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
  const [one, two] = [messageOf(a, left.region), messageOf(b, right.region)]
  const covered = ['input', 'output', 'opType', 'domain', 'attribute', 'metadata']
  const rest = await differingFields(one, two, FIELD.node, covered)
  return [
    ...out,
    ...[...others.keys()].map((name) => `with ${name}`),
    ...rest.map((name) => `another ${name}`),
  ]
}

/** Tensors are compared by content, subgraphs as bodies: here only how many there are. */
async function sameAttribute(a: Model, left: Attribute, b: Model, right: Attribute): Promise<boolean> {
  if (left.tensor && right.tensor && !(await sameTensor(a, left.tensor, b, right.tensor))) return false
  if (graphsIn(a, left) !== graphsIn(b, right)) return false
  const [one, other] = [messageOf(a, left.region), messageOf(b, right.region)]
  const covered = ['g', 'graphs', ...(left.tensor && right.tensor ? ['t'] : [])]
  return (await differingFields(one, other, FIELD.attribute, covered)).length === 0
}

function graphsIn({ bytes }: Model, { region, isGraph }: Attribute): number {
  if (!isGraph) return 0
  const { g, graphs } = FIELD.attribute
  return [...fields(bytes, region.start, region.end)].filter(
    ({ number }) => number === g || number === graphs,
  ).length
}
