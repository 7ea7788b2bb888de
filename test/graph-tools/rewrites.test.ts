// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { type Model, parseModel } from '../../graph-tools/model.ts'
import { applyEdits, type Edit } from '../../graph-tools/splice.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { encodeModel, int64Tensor, joined, onnx, reshape, unknownField, varint } from '../helpers/onnx.ts'

const edited = (model: Model, edits: readonly Edit[]) => joined(applyEdits(model.bytes, edits))

describe('stripAllowzero', () => {
  const graph = {
    name: 'g',
    initializer: [int64Tensor('good', [1, -1, 64]), int64Tensor('zero', [0, -1])],
    node: [
      reshape('proved', 'good', 1),
      reshape('literal_zero', 'zero', 1),
      reshape('computed', 'unknown', 1),
      reshape('already_off', 'unknown', 0),
      reshape('without', 'good'),
      {
        name: 'c',
        opType: 'Constant',
        output: ['constant'],
        attribute: [{ name: 'value', type: 4, t: int64Tensor('', [2, 3]) }],
      },
      reshape('of_constant', 'constant', 1),
      { name: 'j', opType: 'Concat', input: ['good', 'constant'], output: ['concat'] },
      reshape('of_concat', 'concat', 1),
      {
        name: 'if',
        opType: 'If',
        output: ['y'],
        attribute: [
          {
            name: 'then_branch',
            type: 5,
            g: { name: 'then', initializer: [int64Tensor('s', [4])], node: [reshape('inner', 's', 1)] },
          },
        ],
      },
    ],
  }

  it('removes it where the shape is proved to hold no 0, in subgraphs too, and names the rest', () => {
    const model = parseModel(encodeModel(graph))
    const report = stripAllowzero(model)
    expect(report.unproved).toEqual(['literal_zero', 'computed'])
    expect(report.stripped).toBe(5)
    const left = parseModel(edited(model, report.edits))
    const withAttribute = left.bodies.flatMap(({ nodes }) =>
      nodes
        .filter(({ attributes }) => attributes.some(({ name }) => name === 'allowzero'))
        .map(({ name }) => name),
    )
    expect(withAttribute).toEqual(['literal_zero', 'computed'])
  })

  it('takes a shape without bytes for unknown, and one without elements for none that holds a 0', () => {
    const shape = (name: string, dims: number[]) => ({ name, dims, dataType: 7 })
    const initializer = [shape('lost', [3]), shape('empty', [0])]
    const node = [reshape('of_lost', 'lost', 1), reshape('of_empty', 'empty', 1)]
    const report = stripAllowzero(parseModel(encodeModel({ name: 'g', initializer, node })))
    expect(report).toMatchObject({ stripped: 1, unproved: ['of_lost'] })
  })

  it('removes it everywhere when the option says so', () => {
    const model = parseModel(encodeModel(graph))
    const { edits, unproved } = stripAllowzero(model, true)
    expect(unproved).toEqual([])
    expect(Buffer.from(edited(model, edits)).includes('allowzero')).toBe(false)
  })
})

describe('stripTraces', () => {
  it('removes the exporter metadata of nodes and model and keeps other metadata', () => {
    const entry = (key: string, value: string) => {
      const body = onnx.StringStringEntryProto.encode({ key, value }).finish()
      return Buffer.from(body).toString('latin1')
    }
    const trace = unknownField(9, entry('pkg.torch.onnx.stack_trace', 'File "/home/me/x.py"'))
    const kept = unknownField(9, entry('my.note', 'stays'))
    const node = Buffer.concat([onnx.NodeProto.encode({ opType: 'Op', output: ['y'] }).finish(), trace, kept])
    const graph = Buffer.concat([Buffer.from([0x0a, ...varint(node.length)]), node])
    const bytes = Buffer.concat([
      Buffer.from([0x3a, ...varint(graph.length)]),
      graph,
      unknownField(14, entry('pkg.torch.export.ExportedProgram.range_constraints', 'x')),
      unknownField(14, entry('license', 'apache-2.0')),
    ])
    const model = parseModel(bytes)
    const text = Buffer.from(edited(model, stripTraces(model))).toString('latin1')
    expect(text).not.toContain('/home/me')
    expect(text).not.toContain('pkg.torch')
    expect(text).toContain('stays')
    expect(text).toContain('apache-2.0')
  })
})

describe('parseModel', () => {
  it('refuses every truncation of a model, or reads a smaller one, and never anything else', () => {
    const bytes = encodeModel({
      name: 'g',
      node: [reshape('r', 's', 1)],
      initializer: [int64Tensor('s', [1, 2])],
    })
    let refused = 0
    for (let end = 0; end < bytes.length; end++) {
      try {
        parseModel(bytes.subarray(0, end))
      } catch (error) {
        expect(error).toMatchObject({ name: 'GraphError' })
        refused++
      }
    }
    expect(refused).toBeGreaterThan(bytes.length - 10)
  })
})
