// SPDX-License-Identifier: Apache-2.0

import type { Graph, Model, Node, Tensor } from './model.ts'
import type { Edit, Region } from './splice.ts'
import { shapeValues } from './tensor-data.ts'

const MAX_STEPS = 32

/** What can be stripped, and what not. */
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
 * With allowzero=1 a 0 in the shape input means "zero", without it "copy the input's dimension", so the attribute may
 * only go when no shape can hold a 0. Constants and initializers are read, and followed through what only rearranges
 * them.
 * @param assumeNonzero strip also where the proof fails
 * @throws GraphError when the bytes of a shape cannot be had
 * @see https://onnx.ai/onnx/operators/onnx__Reshape.html
 */
export function stripAllowzero(model: Model, assumeNonzero = false): AllowzeroReport {
  const prover: Prover = {
    model,
    scopes: new Map(model.bodies.map((body) => [body.region, scopeOf(body)])),
    known: new Map(),
  }
  const edits: Edit[] = []
  const unproved: string[] = []
  for (const body of model.bodies) {
    for (const node of body.nodes) {
      if (node.opType !== 'Reshape' || node.domain !== '') continue
      for (const attribute of node.attributes.filter(({ name }) => name === 'allowzero')) {
        const isOff = attribute.i === 0n && !attribute.isReference
        if (!isOff && !assumeNonzero && !isNonzero(prover, body.region, node.inputs[1] ?? '')) {
          unproved.push(node.name || node.outputs[0] || '(unnamed)')
          continue
        }
        const { tagStart, end } = attribute.field
        edits.push({ region: node.region, start: tagStart, end, content: [] })
      }
    }
  }
  return { edits, stripped: edits.length, unproved }
}

interface Scope {
  readonly initializers: ReadonlyMap<string, Tensor>
  readonly producers: ReadonlyMap<string, Node>
  /** what the caller may set, an initializer's default value included (onnx/docs/IR.md, "Initializers") */
  readonly inputs: ReadonlySet<string>
}

function scopeOf(body: Graph): Scope {
  return {
    initializers: new Map(body.initializers.map((tensor) => [tensor.name, tensor])),
    producers: new Map(body.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const))),
    inputs: new Set(body.inputs.map(({ name }) => name)),
  }
}

interface Prover {
  readonly model: Model
  readonly scopes: ReadonlyMap<Region, Scope>
  /** by the name and the body that defines it; false while it is being proved, which ends circles */
  readonly known: Map<string, boolean>
}

/** Whether the integers in `name`, as seen in a body, are known and none is 0. Inner graphs see the names around them. */
function isNonzero(prover: Prover, at: Region, name: string, steps = 0): boolean {
  for (let region: Region | undefined = at; region; region = region.parent) {
    const scope = prover.scopes.get(region)
    if (scope?.inputs.has(name)) return false
    if (!scope?.initializers.has(name) && !scope?.producers.has(name)) continue
    const key = `${region.start} ${name}`
    const known = prover.known.get(key)
    if (known !== undefined || steps > MAX_STEPS || name === '') return known ?? false
    prover.known.set(key, false)
    const proved = prove(prover, scope, region, name, steps)
    prover.known.set(key, proved)
    return proved
  }
  return false
}

function prove(prover: Prover, scope: Scope, region: Region, name: string, steps: number): boolean {
  const initializer = scope.initializers.get(name)
  if (initializer) return hasNoZero(shapeValues(prover.model, initializer))
  const node = scope.producers.get(name)
  if (!node) return false
  if (node.opType === 'Constant' && node.domain === '') return hasNoZero(constantValues(prover.model, node))
  const parts = rearranged(node)
  return parts.length > 0 && parts.every((part) => isNonzero(prover, region, part, steps + 1))
}

/** The inputs whose values, and no others, make up a node's output; none when that is not so. */
function rearranged({ opType, domain, inputs }: Node): readonly string[] {
  if (domain !== '') return []
  if (opType === 'Concat') return inputs
  return ['Identity', 'Unsqueeze', 'Squeeze', 'Reshape', 'Flatten'].includes(opType) ? inputs.slice(0, 1) : []
}

function constantValues(model: Model, node: Node): readonly bigint[] | undefined {
  const [attribute] = node.attributes
  if (!attribute || attribute.isReference) return undefined
  if (attribute.name === 'value_int') return [attribute.i]
  if (attribute.name === 'value_ints') return attribute.ints
  return attribute.name === 'value' && attribute.tensor ? shapeValues(model, attribute.tensor) : undefined
}

function hasNoZero(values: readonly bigint[] | undefined): boolean {
  return values?.every((value) => value !== 0n) ?? false
}
