import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { onnx as Onnx } from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { diffModels } from '../../graph-tools/diff.ts'
import { externalize, inlineWeights } from '../../graph-tools/externalize.ts'
import { inspectModel } from '../../graph-tools/inspect.ts'
import { openModel, parseModel } from '../../graph-tools/model.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { applyEdits } from '../../graph-tools/splice.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { rewritten } from '../helpers/graph-files.ts'
import { floatTensor, int64Tensor, joined, onnx, reshape, unknownField } from '../helpers/onnx.ts'
import { seededRandom } from '../helpers/random.ts'

const MODELS = 25

type Random = (below: number) => number

/** A graph of any size, with subgraphs, weights of all kinds (many of them equal), and fields of unknown schemas between. */
function randomGraph(random: Random, depth = 0): Uint8Array {
  const weights = Array.from({ length: random(8) }, (_, i) => randomTensor(random, `w${depth}_${i}`))
  const nodes = Array.from({ length: random(12) }, (_, i) => randomNode(random, `n${depth}_${i}`, depth))
  const parts = [
    ...weights.map((tensor) => unknownField(5, onnx.TensorProto.encode(tensor).finish())),
    ...nodes.map((node) => unknownField(1, node)),
    ...Array.from({ length: random(3) }, () => unknownField(900 + random(50), 'x'.repeat(random(200)))),
  ]
  // Field order is free in protobuf.
  const order = parts.map((part) => [random(1000), part] as const).sort(([a], [b]) => a - b)
  return Buffer.concat([unknownField(2, `g${depth}`), ...order.map(([, part]) => part)])
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
  return Buffer.concat([
    plain,
    ...(random(3) === 0 ? [unknownField(8, 'overload')] : []),
    ...(depth < 3 && random(6) === 0 ? [branch()] : []),
  ])
}

function randomModel(random: Random): Uint8Array {
  const header = onnx.ModelProto.encode({
    irVersion: 10,
    opsetImport: [{ domain: '', version: 18 }],
  }).finish()
  return Buffer.concat([
    header,
    unknownField(7, randomGraph(random)),
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

      // Two edits of one file at once are the two one after the other.
      const report = stripAllowzero(inside)
      const all = parseModel(
        joined(applyEdits(parseModel(first).bytes, stripAllowzero(parseModel(first)).edits)),
      )
      expect(stripAllowzero(all)).toMatchObject({ stripped: 0, unproved: report.unproved })
      expect(all.bytes.length).toBeLessThanOrEqual(first.length)
    }
  })
})
