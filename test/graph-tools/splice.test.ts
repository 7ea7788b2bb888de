// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { Bytes } from '../../graph-tools/bytes.ts'
import { parseModel } from '../../graph-tools/model.ts'
import { applyEdits } from '../../graph-tools/splice.ts'
import { encodeModel, joined, onnx, reshape, unknownField } from '../helpers/onnx.ts'

describe('applyEdits', () => {
  it('gives the identical bytes without edits', () => {
    const original = encodeModel({ name: 'g', node: [reshape('r', 's', 1)] })
    expect(joined(applyEdits(Bytes.of(original), []))).toEqual(Buffer.from(original))
  })

  it('keeps fields that onnx-proto does not have', () => {
    const original = Buffer.concat([encodeModel({ name: 'g' }), unknownField(26, 'device configuration')])
    const { graph } = parseModel(original)
    const name = {
      region: graph.region,
      start: graph.region.end,
      end: graph.region.end,
      content: [unknownField(16, 'x')],
    }
    const edited = Buffer.from(joined(applyEdits(Bytes.of(original), [name])))
    expect(edited.includes(Buffer.from(unknownField(26, 'device configuration')))).toBe(true)
    expect(edited.length).toBe(original.length + 4)
  })

  it('rewrites the lengths of all enclosing messages, also when their varints grow', () => {
    // The node grows over 127 bytes, and with it the graph: both prefixes need a second byte.
    const original = encodeModel({
      name: 'g',
      node: [{ name: 'n', opType: 'Op', input: ['a'], output: ['b'] }],
    })
    const [node] = parseModel(original).graph.nodes
    if (!node) throw new Error('no node')
    const { region } = node
    const added = unknownField(6, 'd'.repeat(200)) // NodeProto.doc_string
    const edited = joined(
      applyEdits(Bytes.of(original), [{ region, start: region.end, end: region.end, content: [added] }]),
    )
    const decoded = onnx.ModelProto.decode(edited)
    expect(decoded.graph?.node?.[0]).toMatchObject({ name: 'n', docString: 'd'.repeat(200), output: ['b'] })
  })

  it('drops edits within what another edit removes, and keeps those at its borders', () => {
    const node = (name: string) => ({ name, opType: 'Op', input: ['a'], output: [name] })
    const original = encodeModel({ name: 'g', node: [node('one'), node('two'), node('three')] })
    const { graph } = parseModel(original)
    const [, two] = graph.nodes
    if (!two) throw new Error('no node')
    const insert = (at: number, name: string) => ({
      region: graph.region,
      start: at,
      end: at,
      content: [unknownField(1, onnx.NodeProto.encode(node(name)).finish())],
    })
    const whole = { region: graph.region, start: two.field.tagStart, end: two.field.end, content: [] }
    const inner = {
      region: two.region,
      start: two.region.end,
      end: two.region.end,
      content: [unknownField(6, 'x')],
    }
    const [input] = two.inputFields
    const gone = { region: two.region, start: input?.tagStart ?? 0, end: input?.end ?? 0, content: [] }
    const edits = [inner, insert(whole.start, 'before'), gone, whole, insert(whole.end, 'after')]
    const decoded = onnx.ModelProto.decode(joined(applyEdits(Bytes.of(original), edits)))
    expect(decoded.graph?.node?.map(({ name }) => name)).toEqual(['one', 'before', 'after', 'three'])
  })

  it('refuses overlapping edits', () => {
    const original = encodeModel({ name: 'graph' })
    const { region } = parseModel(original).graph
    const edit = (start: number, end: number) => ({ region, start, end, content: [] })
    expect(() =>
      applyEdits(Bytes.of(original), [
        edit(region.start, region.end - 1),
        edit(region.start + 1, region.end),
      ]),
    ).toThrow('Two edits overlap')
  })
})
