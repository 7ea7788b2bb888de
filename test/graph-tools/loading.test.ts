// SPDX-License-Identifier: Apache-2.0

import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { onnx as Onnx } from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { loadProblems } from '../../eval/runtime/load-check.ts'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { externalize } from '../../graph-tools/externalize.ts'
import { readWhileLoading } from '../../graph-tools/loading.ts'
import { openModel, parseModel } from '../../graph-tools/model.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { writeModel } from '../helpers/graph-files.ts'
import { encodeModel, floatTensor, int64Tensor, onnx, unknownField } from '../helpers/onnx.ts'

type Node = Onnx.INodeProto
type Tensor = Onnx.ITensorProto

const floats = (name: string, dims: number[]) =>
  floatTensor(name, new Array(dims.reduce((a, b) => a * b, 1)).fill(1), dims)
const scalar = (name: string, value: number): Tensor => ({ ...int64Tensor(name, [value]), dims: [] })
const node = (
  opType: string,
  input: string[],
  output = ['y'],
  attribute: Onnx.IAttributeProto[] = [],
): Node => ({
  ...{ opType, input, output, attribute },
})
const int = (name: string, i: number) => ({ name, type: 2, i })
const typed = (name: string, elemType: number, dims?: number[]) => ({
  name,
  type: { tensorType: { elemType, ...(dims && { shape: { dim: dims.map((dimValue) => ({ dimValue })) } }) } },
})
const body = (
  name: string,
  nodes: Node[],
  inputs: Onnx.IValueInfoProto[],
  outputs: Onnx.IValueInfoProto[],
) => ({
  ...{ name: 'body', type: 5 },
  g: { name, node: nodes, input: inputs, output: outputs },
})
const names = (count: number) => Array.from({ length: count }, (_, i) => `part${i}`)

/** Graphs of x float32 [4, 6] to y in which a tensor decides a shape; a name that begins with "s" must stay inside. */
const GRAPHS: Readonly<Record<string, { nodes: Node[]; initializers: Tensor[] }>> = {
  Reshape: { nodes: [node('Reshape', ['x', 's'])], initializers: [int64Tensor('s', [2, 12])] },
  Slice: {
    nodes: [node('Slice', ['x', 's1', 's2', 's3', 's4'])],
    initializers: [
      int64Tensor('s1', [0]),
      int64Tensor('s2', [4]),
      int64Tensor('s3', [1]),
      int64Tensor('s4', [2]),
    ],
  },
  Expand: { nodes: [node('Expand', ['x', 's'])], initializers: [int64Tensor('s', [3, 4, 6])] },
  Tile: { nodes: [node('Tile', ['x', 's'])], initializers: [int64Tensor('s', [2, 2])] },
  Pad: { nodes: [node('Pad', ['x', 's'])], initializers: [int64Tensor('s', [1, 1, 1, 1])] },
  Resize: { nodes: [node('Resize', ['x', '', 's'])], initializers: [floatTensor('s', [2, 2])] },
  Range: {
    nodes: [node('Range', ['s1', 's2', 's3'], ['r']), node('Cast', ['r'], ['y'], [int('to', 1)])],
    initializers: [scalar('s1', 0), scalar('s2', 9), scalar('s3', 2)],
  },
  ConstantOfShape: { nodes: [node('ConstantOfShape', ['s'])], initializers: [int64Tensor('s', [4, 6])] },
  TopK: { nodes: [node('TopK', ['x', 's'], ['y', 'i'])], initializers: [int64Tensor('s', [2])] },
  'Split of 200': {
    nodes: [node('Split', ['t', 's'], names(200), [int('axis', 0)]), node('Identity', ['part7'])],
    initializers: [floats('t', [200, 4]), int64Tensor('s', new Array(200).fill(1))],
  },
  Unsqueeze: { nodes: [node('Unsqueeze', ['x', 's'])], initializers: [int64Tensor('s', [0])] },
  Squeeze: {
    nodes: [node('Unsqueeze', ['x', 's1'], ['u']), node('Squeeze', ['u', 's2'])],
    initializers: [int64Tensor('s1', [0]), int64Tensor('s2', [0])],
  },
  ReduceMean: { nodes: [node('ReduceMean', ['x', 's'])], initializers: [int64Tensor('s', [1])] },
  OneHot: {
    nodes: [node('Cast', ['x'], ['i'], [int('to', 7)]), node('OneHot', ['i', 's', 'values'])],
    initializers: [scalar('s', 5), floatTensor('values', [0, 1])],
  },
  'a table behind Gather, Cast and Concat': {
    nodes: [
      node('Gather', ['s1', 's2'], ['row'], [int('axis', 0)]),
      node('Cast', ['row'], ['long'], [int('to', 7)]),
      node('Concat', ['s3', 'long'], ['shape'], [int('axis', 0)]),
      node('Identity', ['shape'], ['same']),
      node('Reshape', ['x', 'same']),
    ],
    initializers: [floats('s1', [900, 1]), scalar('s2', 7), int64Tensor('s3', [24])],
  },
  'the body of If': {
    nodes: [
      node('Cast', ['flag'], ['c'], [int('to', 9)]),
      node(
        'If',
        ['c'],
        ['y'],
        [
          {
            ...body('then', [node('Reshape', ['x', 's1'], ['a'])], [], [typed('a', 1)]),
            name: 'then_branch',
          },
          {
            ...body('else', [node('Reshape', ['x', 's2'], ['b'])], [], [typed('b', 1)]),
            name: 'else_branch',
          },
        ],
      ),
    ],
    initializers: [scalar('flag', 1), int64Tensor('s1', [2, 12]), int64Tensor('s2', [3, 8])],
  },
  'what Loop carries': {
    nodes: [
      node(
        'Loop',
        ['s1', '', 's2'],
        ['shape'],
        [
          body(
            'loop',
            [node('Identity', ['go'], ['on']), node('Mul', ['carried', 's3'], ['next'])],
            [typed('i', 7, []), typed('go', 9, []), typed('carried', 7, [2])],
            [typed('on', 9, []), typed('next', 7, [2])],
          ),
        ],
      ),
      node('Reshape', ['x', 'shape']),
    ],
    initializers: [scalar('s1', 1), int64Tensor('s2', [2, 12]), int64Tensor('s3', [1, 1])],
  },
  'an operator that nobody knows the shapes of': {
    nodes: [node('Cast', ['s'], ['f'], [int('to', 1)]), node('Add', ['x', 'f'])],
    initializers: [int64Tensor('s', [1, 2, 3, 4, 5, 6])],
  },
  'an empty tensor': {
    nodes: [node('Concat', ['x', 's'], ['y'], [int('axis', 0)])],
    initializers: [{ name: 's', dims: [0, 6], dataType: 1 }],
  },
}

const WEIGHT = floats('weight', [6, 40])

function graphOf({ nodes, initializers }: (typeof GRAPHS)[string]): Onnx.IGraphProto {
  const product = node('MatMul', ['x', 'weight'], ['product'])
  return {
    ...{ name: 'g', node: [...nodes, product], initializer: [...initializers, WEIGHT] },
    input: [typed('x', 1, [4, 6])],
    output: [typed('y', 1), typed('product', 1)],
  }
}

async function writeAll(folder: string): Promise<string[]> {
  const paths: string[] = []
  for (const [i, graph] of Object.values(GRAPHS).entries()) {
    await writeModel(folder, `${i}.onnx`, graphOf(graph))
    paths.push(join(folder, `${i}.onnx`))
  }
  return paths
}

function outside(path: string): string[] {
  return openModel(path).tensors.flatMap(({ name, location }) => (location === undefined ? [] : [name]))
}

describe('what a runtime reads while it loads a graph', () => {
  it('stays inside whatever is asked for, and onnxruntime opens every graph', async () => {
    const [one, other] = [await temporaryFolder(), await temporaryFolder()]
    const paths = await writeAll(one)
    const copies = paths.map((path) => path.replace(one, other))
    for (const [i, path] of paths.entries()) await copyFile(path, copies[i] ?? '')
    const models = paths.map(openModel)
    await rewriteInPlace(models, await shareWeights(models, { folder: one, location: 'w.data', minimum: 0 }))
    for (const path of copies) {
      const model = openModel(path)
      const options = { folder: other, location: `${path}.data`.slice(other.length + 1), threshold: 0 }
      await rewriteInPlace([model], await externalize([model], options))
    }
    for (const list of [paths, copies]) {
      for (const [i, path] of list.entries()) {
        const others = Object.values(GRAPHS)[i]?.initializers.map(({ name }) => name ?? '') ?? []
        const wanted = [...others.filter((name) => !name.startsWith('s') && name !== 'flag'), 'weight']
        expect(outside(path), Object.keys(GRAPHS)[i]).toEqual(wanted)
      }
    }
    const problems = await loadProblems([...paths, ...copies], 'basic')
    expect(problems.filter((problem) => problem !== undefined)).toEqual([])
    expect(problems.length).toBe(2 * Object.keys(GRAPHS).length)
  })

  it('comes inside when it is outside, so that a graph that could not be opened can', async () => {
    const folder = await temporaryFolder()
    const shape = { name: 's', dims: [2], dataType: 7, dataLocation: 1 }
    const entries = { location: 'weight.bin', offset: '0', length: '16' }
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }))
    const reshape = { nodes: [node('Reshape', ['x', 's'])], initializers: [{ ...shape, externalData }] }
    const { writeFile } = await import('node:fs/promises')
    await writeFile(join(folder, 'weight.bin'), new Uint8Array(BigInt64Array.of(2n, 12n).buffer))
    const model = await writeModel(folder, 'm.onnx', graphOf(reshape))
    const path = join(folder, 'm.onnx')
    expect((await loadProblems([path], 'disabled'))[0]).toContain('Cannot parse data from external tensors')
    const options = { folder, location: 'w.data', minimum: 16, opens: undefined }
    await rewriteInPlace([model], await shareWeights([model], options), {
      opens: (paths) => loadProblems(paths, 'disabled'),
    })
    expect(outside(path)).toEqual(['weight'])
    expect(await loadProblems([path], 'disabled')).toEqual([undefined])
  })

  it('is found through calls of functions, and not in graphs of the same names', () => {
    const named = (field: number, text: string) => unknownField(field, text)
    const inner = onnx.NodeProto.encode(node('Reshape', ['data', 'to'], ['out'])).finish()
    const outer = onnx.NodeProto.encode({
      ...node('Inner', ['value', 'size'], ['result']),
      domain: 'd',
    }).finish()
    const functions = [
      [named(1, 'Inner'), named(4, 'data'), named(4, 'to'), named(5, 'out'), unknownField(7, inner)],
      [named(1, 'Outer'), named(4, 'value'), named(4, 'size'), named(5, 'result'), unknownField(7, outer)],
    ].map((fields) => unknownField(25, Buffer.concat([...fields, named(10, 'd')])))
    const big = (name: string) => floats(name, [600])
    const graph = encodeModel({
      name: 'g',
      node: [{ ...node('Outer', ['x', 'shape']), domain: 'd' }],
      // `to` and `data` are names of a function's own
      initializer: [big('shape'), big('to'), big('data'), WEIGHT],
    })
    const model = parseModel(Buffer.concat([graph, ...functions]))
    expect([...readWhileLoading(model)].map(({ name }) => name)).toEqual(['shape'])
  })
})
