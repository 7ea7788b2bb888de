import { type Graph, int64Values, type Model, type Node } from './model.ts'
import type { Edit } from './splice.ts'

export interface AllowzeroReport {
  readonly edits: readonly Edit[]
  /** Reshape nodes whose attribute is removed */
  readonly stripped: number
  /** Reshape nodes whose shape could not be proved free of a literal 0, left as they are */
  readonly unproved: readonly string[]
}

/**
 * Remove `allowzero` from every Reshape, in subgraphs and functions too (DirectML rejects it).
 *
 * With allowzero=1 a 0 in the shape input means "zero", without it "copy the input's dimension", so the attribute
 * may only go when no shape can hold a 0: constants and initializers are read, Concat is proved part by part.
 * Source: ONNX operator specification, Reshape.
 * @param assumeNonzero strip also where the proof fails
 */
export function stripAllowzero(model: Model, assumeNonzero = false): AllowzeroReport {
  const edits: Edit[] = []
  const unproved: string[] = []
  for (const body of model.bodies) {
    for (const node of body.nodes) {
      if (node.opType !== 'Reshape' || node.domain !== '') continue
      for (const attribute of node.attributes.filter(({ name }) => name === 'allowzero')) {
        if (attribute.i !== 0n && !assumeNonzero && !isNonzero(model, body, node.inputs[1] ?? '')) {
          unproved.push(node.name)
          continue
        }
        const { tagStart, end } = attribute.field
        edits.push({ region: node.region, start: tagStart, end, content: [] })
      }
    }
  }
  return { edits, stripped: edits.length, unproved }
}

/** Whether the integers in `name` are known and none is 0. */
function isNonzero(model: Model, body: Graph, name: string, depth = 0): boolean {
  if (depth > 8) return false
  const initializer = body.initializers.find((tensor) => tensor.name === name)
  if (initializer !== undefined) return hasNoZero(int64Values(model.bytes, initializer))
  const node = body.nodes.find(({ outputs }) => outputs.includes(name))
  if (node === undefined || node.domain !== '') return false
  if (node.opType === 'Constant') return hasNoZero(constantValues(model, node))
  if (node.opType !== 'Concat') return false
  return node.inputs.every((input) => isNonzero(model, body, input, depth + 1))
}

function constantValues(model: Model, node: Node): bigint[] | undefined {
  const tensor = node.attributes.find(({ name }) => name === 'value')?.tensor
  return tensor && int64Values(model.bytes, tensor)
}

function hasNoZero(values: readonly bigint[] | undefined): boolean {
  return values?.every((value) => value !== 0n) ?? false
}
