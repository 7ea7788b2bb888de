// SPDX-License-Identifier: Apache-2.0

import { differingFields, messageOf } from './diff-fields.ts'
import type { Model, Tensor } from './model.ts'
import { dataTypeName, FIELD } from './onnx-types.ts'
import { sameBytes } from './same-bytes.ts'
import { contentOf } from './tensor-data.ts'

/**
 * Compare weights by content, wherever they are stored.
 * @returns what differs, line by line, and how many are the same
 * @throws GraphError when a weight's bytes cannot be had
 */
export async function diffWeights(a: Model, b: Model): Promise<{ lines: string[]; same: number }> {
  const [left, right] = [initializersOf(a), initializersOf(b)]
  const lines: string[] = []
  let same = 0
  for (const [key, tensor] of left) {
    const other = right.get(key)
    if (!other) lines.push(`- ${tensor.name}: only in the first`)
    else if (typeText(tensor) !== typeText(other)) {
      lines.push(`~ ${tensor.name}: ${typeText(tensor)} -> ${typeText(other)}`)
    } else if (await sameTensor(a, tensor, b, other)) {
      const [one, two] = [messageOf(a, tensor.region), messageOf(b, other.region)]
      const rest = await differingFields(one, two, FIELD.tensor, STORAGE)
      if (rest.length === 0) same++
      else lines.push(`~ ${tensor.name}: another ${rest.join(', ')}`)
    } else lines.push(`~ ${tensor.name}: other values`)
  }
  for (const [key, { name }] of right) if (!left.has(key)) lines.push(`+ ${name}: only in the second`)
  return { lines, same }
}

/** Initializers by body and name; sparse tensors and those of lists in attributes, where they are outside, by their order. */
function initializersOf({ bodies, tensors }: Model): Map<string, Tensor> {
  const others = tensors.filter(({ kind, location }) => kind !== 'initializer' && location !== undefined)
  return new Map([
    ...bodies.flatMap(({ initializers }, body) =>
      numbered(initializers).map(([name, tensor]) => [`${body} ${name}`, tensor] as const),
    ),
    ...others.map((tensor, i) => [`${tensor.kind} ${i} ${tensor.name}`, tensor] as const),
  ])
}

/** By name; of several with one name, by their order too. */
function numbered(initializers: readonly Tensor[]): (readonly [string, Tensor])[] {
  const counts = new Map<string, number>()
  return initializers.map((tensor) => {
    const count = counts.get(tensor.name) ?? 0
    counts.set(tensor.name, count + 1)
    return [`${count} ${tensor.name}`, tensor]
  })
}

/** Fields of a tensor that say what it holds and where. */
const STORAGE = [
  ...['dims', 'dataType', 'floatData', 'int32Data', 'stringData', 'int64Data'],
  ...['rawData', 'doubleData', 'uint64Data'],
  ...['externalData', 'dataLocation', 'metadata'],
]

function typeText({ dataType, dims }: Tensor): string {
  return `${dataTypeName(dataType)} [${dims.join(', ')}]`
}

/**
 * Whether two tensors have the same type, shape and values.
 * @throws GraphError when their bytes cannot be had
 */
export async function sameTensor(a: Model, left: Tensor, b: Model, right: Tensor): Promise<boolean> {
  if (typeText(left) !== typeText(right)) return false
  const [one, other] = [contentOf(a, left), contentOf(b, right)]
  if (one && other) return sameBytes(one, other)
  if (one || other) return false
  // Strings have no raw form: their fields must be the same as they are.
  const [message, another] = [messageOf(a, left.region), messageOf(b, right.region)]
  const strings = await differingFields(message, another, FIELD.tensor, [])
  return !strings.includes('string_data')
}
