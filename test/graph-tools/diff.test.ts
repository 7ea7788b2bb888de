// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import type { onnx as Onnx } from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { type Difference, diffModels } from '../../graph-tools/diff.ts'
import { externalize } from '../../graph-tools/externalize.ts'
import { openModel, parseModel } from '../../graph-tools/model.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { writeModel } from '../helpers/graph-files.ts'
import { encodeModel, floatTensor, int64Tensor, onnx, reshape, unknownField } from '../helpers/onnx.ts'

type Json = Onnx.IGraphProto

const value = (
  name: string,
  type: Onnx.ITypeProto = { tensorType: { elemType: 1, shape: { dim: [] } } },
) => ({
  name,
  type,
})
const branch = { name: 'then', node: [reshape('inner', 's', 1)], output: [value('inner_out')] }
const GRAPH: Json = {
  name: 'g',
  initializer: [int64Tensor('s', [1, 2]), floatTensor('w', [1, 2])],
  sparseInitializer: [{ values: floatTensor('v', [1]), indices: int64Tensor('', [3]), dims: [9] }],
  node: [
    reshape('r', 's', 1),
    reshape('q', 's'),
    { opType: 'If', name: 'if', output: ['y'], attribute: [{ name: 'then_branch', type: 5, g: branch }] },
  ],
  input: [value('x'), value('x2')],
  output: [value('y')],
}
const FUNCTION = { name: 'f', domain: 'd', input: ['a'], output: ['b'], attribute: ['k'], opsetImport: [] }

/** A model with a function and metadata, some of it changed. */
function model({ graph = {}, functions = FUNCTION, metadata = 'old', more = {} }: Changes): Uint8Array {
  return onnx.ModelProto.encode({
    irVersion: 10,
    opsetImport: [{ domain: '', version: 18 }],
    graph: { ...GRAPH, ...graph },
    functions: [functions],
    metadataProps: [{ key: 'author', value: metadata }],
    ...more,
  }).finish()
}

interface Changes {
  readonly graph?: Json
  readonly functions?: Onnx.IFunctionProto
  readonly metadata?: string
  readonly more?: Onnx.IModelProto
}

const linesOf = (found: Difference) => [
  ...[...found.header, ...found.values],
  ...[...found.nodes, ...found.weights, ...found.metadata],
]

describe('diff', () => {
  it('finds no difference between equal models', async () => {
    const found = await diffModels(parseModel(model({})), parseModel(model({})))
    expect(linesOf(found)).toEqual([])
    expect(found).toMatchObject({ isSame: true, sameNodes: 4, sameWeights: 2 })
  })

  const [first, second, third] = GRAPH.node ?? []
  const scalar = { tensorType: { elemType: 1 } }
  const sequence = (elemType: number) => ({ sequenceType: { elemType: { tensorType: { elemType } } } })
  const then = (graph: Json) => ({
    node: [
      ...[first, second].filter((node) => node !== undefined),
      { ...third, attribute: [{ name: 'then_branch', type: 5, g: { ...branch, ...graph } }] },
    ],
  })
  const sparse = { values: floatTensor('v', [2]), indices: int64Tensor('', [3]), dims: [9] }

  it.each<[string, Changes, string[]]>([
    ['sparse values', { graph: { sparseInitializer: [sparse] } }, ['another sparse_initializer']],
    ['metadata values', { metadata: 'new' }, ['author: other values']],
    ['function inputs', { functions: { ...FUNCTION, input: ['c'] } }, ['function d::f: another input']],
    [
      'opset imports of functions',
      { functions: { ...FUNCTION, opsetImport: [{ domain: '', version: 17 }] } },
      ['function d::f: another opset_import'],
    ],
    [
      'subgraph outputs',
      { graph: then({ output: [value('inner_out', scalar)] }) },
      ['subgraph then: output inner_out: float32 [] -> float32 of any shape'],
    ],
    [
      'scalar against unknown shape',
      { graph: { output: [value('y', scalar)] } },
      ['output y: float32 [] -> float32 of any shape'],
    ],
    ['doc_string', { graph: { docString: 'said' } }, ['another doc_string']],
    ['doc_string of the model', { more: { docString: 'said' } }, ['another doc_string']],
    [
      'order of inputs',
      { graph: { input: [value('x2'), value('x')] } },
      ['order of inputs: x -> x2 at place 1'],
    ],
    [
      'node order',
      { graph: { node: [second, first, third].filter((node) => node !== undefined) } },
      ['~ Reshape r: at another place in the order'],
    ],
    ['names of graphs', { graph: { name: 'other' } }, ['another name']],
    [
      'one more function',
      { more: { functions: [FUNCTION, { name: 'empty' }] } },
      ['graphs and functions: 3 -> 4'],
    ],
  ])('finds other %s', async (_what, changes, lines) => {
    const found = await diffModels(parseModel(model({})), parseModel(model(changes)))
    expect(linesOf(found)).toEqual(lines)
    expect(found.isSame).toBe(false)
  })

  it('finds other types that are not tensors, defaults of attributes, and fields of schemas to come', async () => {
    const of = (type: Onnx.ITypeProto) => parseModel(model({ graph: { output: [value('y', type)] } }))
    const types = await diffModels(of(sequence(1)), of(sequence(7)))
    expect(linesOf(types)).toEqual(['output y: another type'])
    const withDefault = (i: number) => {
      const attribute = onnx.AttributeProto.encode({ name: 'k', i, type: 2 }).finish()
      const body = Buffer.concat([unknownField(1, 'f'), unknownField(11, attribute)])
      return parseModel(Buffer.concat([model({}), unknownField(25, body)]))
    }
    expect(linesOf(await diffModels(withDefault(1), withDefault(2)))).toEqual([
      'function f: another attribute_proto',
    ])
    const newer = (text: string) => parseModel(Buffer.concat([model({}), unknownField(26, text)]))
    expect(linesOf(await diffModels(newer('one'), newer('two')))).toEqual(['another field 26'])
  })

  it('looks at content and not at where it is: the same range of other data files differs', async () => {
    const [a, b] = [await temporaryFolder(), await temporaryFolder()]
    for (const [folder, number] of [[a, 1] as const, [b, 2] as const]) {
      const made = await writeModel(folder, 'm.onnx', {
        name: 'g',
        initializer: [floatTensor('w', [number, 5])],
      })
      await rewriteInPlace([made], await externalize([made], { folder, location: 'w.data', threshold: 1 }))
    }
    const [left, right] = [openModel(join(a, 'm.onnx')), openModel(join(b, 'm.onnx'))]
    expect(linesOf(await diffModels(left, right))).toEqual(['~ w: other values'])
    const inside = parseModel(encodeModel({ name: 'g', initializer: [floatTensor('w', [1, 5])] }))
    expect((await diffModels(left, inside)).isSame).toBe(true)
  })
})
