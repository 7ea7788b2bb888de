import type { Model, Value } from './model.ts'
import { DATA_TYPE, dataTypeName } from './schema.ts'

/** A graph's input or output in the release contract: a number is a fixed size, a letter one that must agree. */
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

/** What every program that loads a release relies on. Letters in lower case are dynamic. */
export const GRAPH_CONTRACTS: Readonly<Record<string, GraphContract>> = {
  encoder: { inputs: [f32('mel', 1, 128, 't')], outputs: [f32('audio_features', 1, 'n', 'H')] },
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

const OLDEST_OPSET = 18

/**
 * What about a graph breaks the release contract.
 * @param name its name without precision: encoder, decoder_init, decoder_step; others are bound to nothing
 */
export function contractProblems(name: string, model: Model): string[] {
  const contract = GRAPH_CONTRACTS[name]
  if (!contract) return []
  const sizes = new Map<string, number>()
  const problems = [
    ...contract.inputs.flatMap((port) => portProblems('input', port, model.graph.inputs, sizes)),
    ...contract.outputs.flatMap((port) => portProblems('output', port, model.graph.outputs, sizes)),
  ]
  const wanted = new Set(contract.inputs.map((port) => port.name))
  for (const input of model.graph.inputs) {
    const hasDefault = model.graph.initializers.some((tensor) => tensor.name === input.name)
    if (!wanted.has(input.name) && !hasDefault)
      problems.push(`requires the input ${input.name}, which readers do not give`)
  }
  const opset = model.opsets.get('') ?? 0
  if (opset < OLDEST_OPSET) problems.push(`has opset ${opset}, wanted ${OLDEST_OPSET} or later`)
  return problems
}

function portProblems(
  kind: string,
  port: Port,
  found: readonly Value[],
  sizes: Map<string, number>,
): string[] {
  const value = found.find(({ name }) => name === port.name)
  const type = `${dataTypeName(port.dataType)} [${port.shape.join(', ')}]`
  if (!value) return [`has no ${kind} ${port.name}, wanted ${type}`]
  const shape = value.shape
  const says = `${dataTypeName(value.dataType)} [${shape?.join(', ') ?? 'no shape'}]`
  const fits =
    value.dataType === port.dataType &&
    shape?.length === port.shape.length &&
    port.shape.every((size, axis) => axisFits(size, shape[axis], sizes))
  return fits ? [] : [`${kind} ${port.name} is ${says}, wanted ${type}`]
}

/** Upper-case letters are sizes of the model, the same wherever they stand; lower-case ones must not be fixed. */
function axisFits(
  wanted: number | string,
  found: number | string | undefined,
  sizes: Map<string, number>,
): boolean {
  if (typeof wanted === 'number') return found === wanted
  if (wanted === wanted.toLowerCase()) return typeof found === 'string'
  if (typeof found !== 'number') return false
  const known = sizes.get(wanted) ?? found
  sizes.set(wanted, known)
  return known === found
}
