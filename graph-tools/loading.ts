// SPDX-License-Identifier: Apache-2.0

import type { Graph, Model, Node, Tensor } from './model.ts'
import { DATA_TYPE } from './onnx-types.ts'
import type { Region } from './splice.ts'
import { byteLength } from './tensor-data.ts'

/** Vectors of whole numbers up to here are shapes, axes and their like, whatever operator has them. */
const VECTOR_LIMIT = 1024
/** Of what reaches a shape through other operators, no runtime needs more than this to compute the shape. */
const CHAIN_LIMIT = 64 << 10

/**
 * The initializers that must be inside the proto, since a runtime reads them while it loads the graph and reads no
 * data file for that. They are inputs that decide shapes, small vectors of whole numbers, and empty tensors, of which
 * a data file can hold nothing. Inputs are followed through operators that only rearrange or compute with them, in
 * subgraphs and functions too. onnxruntime refuses a graph ("Cannot parse data from external tensors") or ends the
 * process where they are outside.
 * @throws GraphError when a tensor's shape is beyond 2^53 bits
 * @see https://github.com/onnx/onnx/blob/main/docs/ShapeInference.md
 */
export function readWhileLoading(model: Model): ReadonlySet<Tensor> {
  const found = new Set<Tensor>()
  const spaces = spacesOf(model)
  const marks = markShapes(spaces)
  for (const [i, { bodies }] of spaces.entries()) {
    for (const tensor of bodies.flatMap(({ initializers }) => initializers)) {
      const mark = marks[i]?.get(tensor.name)
      const isShape = mark === 'direct' || (mark === 'chained' && lengthOf(tensor) <= CHAIN_LIMIT)
      if (isShape || isSmall(tensor)) found.add(tensor)
    }
  }
  return found
}

function isSmall(tensor: Tensor): boolean {
  const { dataType, dims } = tensor
  const isWhole = dataType === DATA_TYPE.int64 || dataType === DATA_TYPE.int32
  return lengthOf(tensor) === 0 || (isWhole && dims.length <= 1 && lengthOf(tensor) <= VECTOR_LIMIT)
}

/** Strings have no length; they stay inside in any case. */
function lengthOf(tensor: Tensor): number {
  return byteLength(tensor) ?? 1
}

/** Bodies that see each other's names: the graph with all in it, or a function with all in it. */
interface Space {
  readonly bodies: readonly Graph[]
  readonly owner: Graph
  /** what makes a value: a node, as which of its outputs */
  readonly producers: ReadonlyMap<string, { readonly node: Node; readonly index: number }>
  /** subgraphs by the node that has them */
  readonly inner: ReadonlyMap<Region, readonly Graph[]>
  /** for an input of a subgraph, what the node around gives it at first, and what the body itself gives the next round */
  readonly given: ReadonlyMap<string, readonly string[]>
}

function spacesOf({ bodies }: Model): Space[] {
  const functions = new Map(
    bodies.filter(({ kind }) => kind === 'function').map((body) => [body.region, body]),
  )
  const byOwner = new Map<Graph | undefined, Graph[]>()
  for (const body of bodies) {
    const owner = around(body.region, functions)
    byOwner.set(owner, [...(byOwner.get(owner) ?? []), body])
  }
  return [...byOwner].flatMap(([owner, own]) => {
    const [first] = own
    return first === undefined ? [] : [spaceOf(owner ?? first, own)]
  })
}

function around<T>(from: Region, owners: ReadonlyMap<Region, T>): T | undefined {
  for (let region: Region | undefined = from; region; region = region.parent) {
    const owner = owners.get(region)
    if (owner !== undefined) return owner
  }
  return undefined
}

function spaceOf(owner: Graph, bodies: readonly Graph[]): Space {
  const nodes = bodies.flatMap((body) => body.nodes)
  const producers = new Map(
    nodes.flatMap((node) => node.outputs.map((name, index) => [name, { node, index }] as const)),
  )
  const inner = new Map<Region, Graph[]>()
  for (const body of bodies) {
    const node = body.kind === 'subgraph' ? body.region.parent?.parent : undefined
    if (node) inner.set(node, [...(inner.get(node) ?? []), body])
  }
  const given = new Map<string, string[]>()
  for (const node of nodes) {
    for (const { inputs, outputs } of inner.get(node.region) ?? []) {
      for (const [i, { name }] of inputs.entries())
        given.set(name, [node.inputs[i] ?? '', outputs[i - skippedBy(node)]?.name ?? ''])
    }
  }
  return { bodies, owner, producers, inner, given }
}

type Mark = 'direct' | 'chained'

/** Names of each space whose values decide shapes. */
function markShapes(spaces: readonly Space[]): ReadonlyMap<string, Mark>[] {
  const marks = spaces.map(() => new Map<string, Mark>())
  const left: { readonly space: Space; readonly name: string }[] = []
  const mark = (space: Space, name: string | undefined, kind: Mark) => {
    const own = marks[spaces.indexOf(space)]
    const known = own?.get(name ?? '')
    if (!own || !name || known === 'direct' || known === kind) return
    own.set(name, kind)
    left.push({ space, name })
  }
  for (const space of spaces) {
    for (const node of space.bodies.flatMap(({ nodes }) => nodes)) {
      for (const index of shapeInputs(node)) mark(space, node.inputs[index], 'direct')
    }
  }
  for (let next = left.pop(); next; next = left.pop()) {
    const { space, name } = next
    const kind = marks[spaces.indexOf(space)]?.get(name) ?? 'chained'
    for (const source of sourcesOf(space, name)) mark(space, source, 'chained')
    for (const source of space.given.get(name) ?? []) mark(space, source, kind)
    for (const [other, inside] of resultsBehind(spaces, space, name)) mark(other, inside, kind)
    for (const [other, outside] of argumentsOf(spaces, space, name)) mark(other, outside, kind)
  }
  return marks
}

/** Values that a value is made of, where only rearranging and reckoning is in between. */
function sourcesOf({ producers, inner }: Space, name: string): string[] {
  const producer = producers.get(name)
  if (!producer) return []
  const { node, index } = producer
  const bodies = inner.get(node.region) ?? []
  const results = bodies.map(({ outputs }) => outputs[index + skippedBy(node)]?.name ?? '')
  // What a loop or scan carries is made of what it started with.
  if (bodies.length > 0)
    return node.opType === 'If' ? results : [...results, node.inputs[index + 2 * skippedBy(node)] ?? '']
  return isStandard(node) && (REARRANGING.has(node.opType) || node.opType.startsWith('Reduce'))
    ? [...node.inputs]
    : []
}

/** The first output of a loop's body is its condition, which the loop does not give. */
function skippedBy({ opType }: Node): number {
  return opType === 'Loop' ? 1 : 0
}

/** The value inside of a called function that a value is. */
function resultsBehind(spaces: readonly Space[], space: Space, name: string): [Space, string][] {
  const producer = space.producers.get(name)
  if (!producer) return []
  const { node, index } = producer
  return calledBy(spaces, node).map((other) => [other, other.owner.results[index] ?? ''])
}

/** What the calls of a function give it for one of its inputs. */
function argumentsOf(spaces: readonly Space[], space: Space, name: string): [Space, string][] {
  const at = space.owner.parameters.indexOf(name)
  if (at < 0) return []
  return spaces.flatMap((other) =>
    other.bodies
      .flatMap(({ nodes }) => nodes)
      .filter((node) => calledBy(spaces, node).includes(space))
      .map((node): [Space, string] => [other, node.inputs[at] ?? '']),
  )
}

function calledBy(spaces: readonly Space[], { domain, opType }: Node): Space[] {
  const name = domain === '' ? opType : `${domain}::${opType}`
  return spaces.filter(({ owner }) => owner.kind === 'function' && owner.name === name)
}

function isStandard({ domain }: Node): boolean {
  return domain === '' || domain === 'com.microsoft'
}

function shapeInputs(node: Node): readonly number[] {
  if (!isStandard(node)) return []
  if (node.opType.startsWith('Reduce')) return [1]
  return SHAPE_INPUTS[node.opType] ?? []
}

/** Inputs whose values decide the shapes of outputs, by operator (onnx/docs/Operators.md, in all versions). */
const SHAPE_INPUTS: Readonly<Record<string, readonly number[]>> = {
  ...{ Reshape: [1], Expand: [1], ExpandDims: [1], Tile: [1, 2], ConstantOfShape: [0], CenterCropPad: [1] },
  ...{ Slice: [1, 2, 3, 4], Split: [1], SplitToSequence: [1], Squeeze: [1], Unsqueeze: [1], Pad: [1, 3] },
  ...{ Resize: [1, 2, 3], Upsample: [1], AffineGrid: [1], Col2Im: [1, 2], MaxUnpool: [2], Trilu: [1] },
  ...{ CropAndResize: [3], Range: [0, 1, 2], TopK: [1], OneHot: [1], CumSum: [1], If: [0], Loop: [0, 1] },
  ...{ DFT: [1, 2], STFT: [1, 3], MelWeightMatrix: [0, 1, 2, 3, 4], NonMaxSuppression: [2], Dropout: [1, 2] },
  ...{ BlackmanWindow: [0], HammingWindow: [0], HannWindow: [0] },
}

/** Operators through which shapes are followed (onnx/docs/ShapeInference.md, "data propagation", and their like). */
const REARRANGING = new Set([
  ...['Identity', 'Cast', 'CastLike', 'Concat', 'Gather', 'GatherElements', 'GatherND', 'ScatterND'],
  ...['ScatterElements', 'Slice', 'Split', 'Squeeze', 'Unsqueeze', 'Reshape', 'Flatten', 'Transpose'],
  ...['Expand', 'Tile', 'Pad', 'Range', 'ConstantOfShape', 'Where', 'CumSum', 'Compress', 'Trilu', 'OneHot'],
  ...['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Pow', 'Neg', 'Abs', 'Sign', 'Sqrt', 'Ceil', 'Floor', 'Round'],
  ...['Min', 'Max', 'Sum', 'Clip', 'Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Not'],
  ...['And', 'Or', 'Xor', 'SequenceConstruct', 'SequenceAt', 'ConcatFromSequence', 'TopK', 'NonZero'],
])
