// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { onnx as Onnx } from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { diffModels } from '../../graph-tools/diff.ts'
import { externalize, inlineWeights } from '../../graph-tools/externalize.ts'
import { inspectModel } from '../../graph-tools/inspect.ts'
import { PADDING_KEY, PADDING_LIMIT, PATCH_MINIMUM } from '../../graph-tools/keep-length.ts'
import { type Model, openModel, parseModel } from '../../graph-tools/model.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { applyEdits } from '../../graph-tools/splice.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { rewritten } from '../helpers/graph-files.ts'
import { floatTensor, int64Tensor, joined, onnx, reshape, unknownField } from '../helpers/onnx.ts'
import { seededRandom } from '../helpers/random.ts'

/* Slow: thousands of files made by chance. */

const MODELS = 25
const LARGE_MODELS = 6

type Random = (below: number) => number

/** A graph of any size, with subgraphs, weights of all kinds (many of them equal), and fields of unknown schemas between. */
function randomGraph(random: Random, depth = 0, weight = 0): Uint8Array {
  const weights = Array.from({ length: random(8) }, (_, i) => randomTensor(random, `w${depth}_${i}`))
  const nodes = Array.from({ length: random(12) }, (_, i) => randomNode(random, `n${depth}_${i}`, depth))
  const parts = [
    ...weights.map((tensor) => unknownField(5, onnx.TensorProto.encode(tensor).finish())),
    ...nodes.map((node) => unknownField(1, node)),
    ...Array.from({ length: random(3) }, () => unknownField(900 + random(50), 'x'.repeat(random(200)))),
  ]
  // Field order is free in protobuf.
  const order = parts.map((part) => [random(1000), part] as const).sort(([a], [b]) => a - b)
  const large = { name: 'large', dims: [weight], dataType: 2, rawData: Buffer.alloc(weight, 'large') }
  const last = weight > 0 ? [unknownField(5, onnx.TensorProto.encode(large).finish())] : []
  return Buffer.concat([unknownField(2, `g${depth}`), ...order.map(([, part]) => part), ...last])
}

function randomTensor(random: Random, name: string): Onnx.ITensorProto {
  const size = 1 + random(600)
  const kind = random(4)
  if (kind === 0) return int64Tensor(name, [1 + random(5), -1])
  if (kind === 1) return { name, dims: [size], dataType: 1, floatData: new Array(size).fill(random(3)) }
  return floatTensor(name, new Array(size).fill(random(2)))
}

function randomNode(random: Random, name: string, depth: number): Uint8Array {
  const plain = onnx.NodeProto.encode(reshape(name, `w${depth}_${random(8)}`, random(2))).finish()
  const branch = () =>
    unknownField(5, Buffer.concat([unknownField(1, 'body'), unknownField(6, randomGraph(random, depth + 1))]))
  const trace = [unknownField(1, 'pkg.torch.onnx.stack_trace'), unknownField(2, 'x'.repeat(random(90)))]
  return Buffer.concat([
    plain,
    unknownField(9, Buffer.concat(trace)),
    ...(random(3) === 0 ? [unknownField(8, 'overload')] : []),
    ...(depth < 3 && random(6) === 0 ? [branch()] : []),
  ])
}

function randomModel(random: Random, weight = 0): Uint8Array {
  const header = onnx.ModelProto.encode({
    irVersion: 10,
    opsetImport: [{ domain: '', version: 18 }],
  }).finish()
  return Buffer.concat([
    header,
    unknownField(7, randomGraph(random, 0, weight)),
    unknownField(26, 'x'.repeat(random(300))),
  ])
}

describe('random models', () => {
  it(`${MODELS} of them come back whole from every rewrite`, async () => {
    const random = seededRandom(99)
    for (let i = 0; i < MODELS; i++) {
      const folder = await temporaryFolder()
      const path = join(folder, 'm.onnx')
      const bytes = randomModel(random)
      await writeFile(path, bytes)
      const model = openModel(path)
      // Read through the window as in memory; no edits, no change.
      expect(inspectModel(model)).toEqual(inspectModel(parseModel(bytes)))
      expect(joined(applyEdits(parseModel(bytes).bytes, []))).toEqual(bytes)
      const inPlace = await rewritten(model)
      expect(await readFile(path)).toEqual(bytes)

      // Weights out, shared, in again: the same model. In again once more: not a byte different.
      await rewriteInPlace(
        [inPlace],
        await externalize([inPlace], { folder, location: 'w.data', threshold: 1 + random(300) }),
      )
      expect((await verifyFolder(folder)).problems).toEqual([])
      const outside = openModel(path)
      await rewriteInPlace(
        [outside],
        await shareWeights([outside], { folder, location: 's.data', minimum: 1 }),
      )
      expect((await verifyFolder(folder)).problems).toEqual([])
      const shared = openModel(path)
      await rewriteInPlace([shared], await inlineWeights(shared))
      const inside = openModel(path)
      const difference = await diffModels(parseModel(bytes), inside)
      expect(difference).toMatchObject({ isSame: true, nodes: [], weights: [] })
      const first = await readFile(path)
      await rewriteInPlace(
        [inside],
        await externalize([inside], { folder, location: 'w.data', threshold: 1 }),
      )
      const again = openModel(path)
      await rewriteInPlace([again], await inlineWeights(again))
      expect(await readFile(path)).toEqual(first)

      // Two rewrites at once are the two one after the other.
      const memory = parseModel(first)
      const both = applyEdits(memory.bytes, [...stripAllowzero(memory).edits, ...stripTraces(memory)])
      const stripped = parseModel(joined(applyEdits(memory.bytes, stripAllowzero(memory).edits)))
      const twice = joined(applyEdits(stripped.bytes, stripTraces(stripped)))
      expect(Buffer.compare(joined(both), twice)).toBe(0)
      expect(memory.metadata.length).toBe(memory.bodies.flatMap(({ nodes }) => nodes).length)
      expect(parseModel(twice).metadata).toEqual([])
    }
  })

  it('large ones keep their length and their weights, or become smaller, and mean the same', async () => {
    const random = seededRandom(5)
    let patched = 0
    for (let i = 0; i < LARGE_MODELS; i++) {
      const path = join(await temporaryFolder(), 'm.onnx')
      const bytes = randomModel(random, PATCH_MINIMUM + random(1000))
      await writeFile(path, bytes)
      for (const strip of [(model: Model) => stripAllowzero(model, true).edits, stripTraces]) {
        const model = openModel(path)
        const before = await readFile(path)
        const memory = parseModel(before)
        const wanted = parseModel(joined(applyEdits(memory.bytes, strip(memory))))
        await rewriteInPlace([model], { edits: [strip(model)] })
        const after = openModel(path)
        const isPatched = after.metadata.some(({ key }) => key === PADDING_KEY)
        if (isPatched) patched++
        if (isPatched) expect(after.bytes.length).toBe(before.length)
        expect(after.bytes.length).toBeGreaterThanOrEqual(wanted.bytes.length - PADDING_LIMIT)
        const { metadata, ...rest } = await diffModels(wanted, after)
        expect(rest).toMatchObject({ header: [], values: [], nodes: [], weights: [] })
        expect(metadata.every((line) => line.startsWith(PADDING_KEY))).toBe(true)
      }
    }
    expect(patched).toBeGreaterThan(LARGE_MODELS / 2)
  })
})
