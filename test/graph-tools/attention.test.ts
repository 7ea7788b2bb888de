// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { InferenceSession, Tensor } from '../../eval/runtime/onnxruntime.ts'
import { addAlignment, attentionWeights, exposeAttention, type Head } from '../../graph-tools/attention.ts'
import { type Model, openModel, parseModel } from '../../graph-tools/model.ts'
import { type Edit, editedBytes } from '../../graph-tools/splice.ts'
import { sampleModel } from '../helpers/onnx.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

/* Of the tiny model: 3 layers of 4 heads, two for each key/value head. */
const [LAYERS, HEADS, GROUPS] = [3, 4, 2]
const SIZES: Readonly<Record<string, number>> = { B: 2, S: 9, C: 5 }
/** Two rows, three positions of each. */
const ENDS = [4, 7, 8, 2, 3, 9]

let folder = ''
let exported: Model

beforeAll(async () => {
  folder = join(await sharedReleases(), TINY_NAME)
  exported = openModel(join(folder, '.work', 'export', 'decoder.onnx'))
})

function open(edits: readonly Edit[]): Promise<InferenceSession> {
  const extra = { session: { model_external_initializers_file_folder_path: join(folder, '.work', 'export') } }
  return InferenceSession.create(Buffer.from(editedBytes(exported.bytes, edits)), {
    ...{ extra, intraOpNumThreads: 1, logSeverityLevel: 3 },
  })
}

/** The same noise for every session. */
function feeds(session: InferenceSession): Record<string, Tensor> {
  const random = seededRandom(8)
  const integers = (values: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
  const noise = session.inputMetadata.flatMap((info) => {
    if (!info.isTensor || info.type !== 'float32') return []
    const dims = info.shape.map((size) => (typeof size === 'number' ? size : (SIZES[size] as number)))
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random() - 0.5)
    return [[info.name, new Tensor('float32', values, dims)] as const]
  })
  return {
    ...Object.fromEntries(noise),
    input_lengths: integers(ENDS),
    past_lengths: integers([5, 3]),
  }
}

async function run(edits: readonly Edit[]) {
  const session = await open(edits)
  const results = await session.run(feeds(session))
  await session.release()
  return results
}

describe('the alignment of the fused decoder', () => {
  const choices: (readonly [string, readonly Head[]])[] = [
    ['one head of an inner layer', [{ layer: 0, head: 2 }]],
    ['one head of the last layer', [{ layer: 2, head: 3 }]],
    ['heads of several layers', [{ layer: 0, head: 0 }, { layer: 2, head: 1 }, { layer: 1, head: 3 }, { layer: 2, head: 2 }]], // biome-ignore format: a list
  ]
  it.each(choices)('is the mean of the attention at the positions that have logits: %s', async (_, heads) => {
    const all = await run(exposeAttention(exported))
    const names = attentionWeights(exported)
    const { alignment, ...others } = await run(addAlignment(exported, heads, GROUPS))
    const width = (SIZES['S'] as number) + (SIZES['C'] as number)
    expect(alignment?.dims).toEqual([2, ENDS.length / 2, width])
    const wanted = ENDS.flatMap((end, i) => {
      const row = Math.floor(i / 3)
      const means = new Array<number>(width).fill(0)
      for (const { layer, head } of heads) {
        const weights = all[names[layer] as string] as Tensor
        const rows = weights.dims[3] as number
        const at = layer === LAYERS - 1 ? i % 3 : end - 1
        const start = ((row * HEADS + head) * rows + at) * width
        for (let k = 0; k < width; k++)
          means[k] =
            (means[k] as number) + ((weights.data as Float32Array)[start + k] as number) / heads.length
      }
      return means
    })
    const found = Array.from(alignment?.data as Float32Array)
    expect(Math.max(...found.map((value, i) => Math.abs(value - (wanted[i] as number))))).toBeLessThan(1e-6)
    expect(found.reduce((a, b) => a + b, 0)).toBeCloseTo(ENDS.length, 4)
    const plain = await run([])
    for (const [name, value] of Object.entries(plain)) expect(others[name]?.data).toEqual(value.data)
  })

  it('is refused for heads that are not there, a second time, and for other graphs', () => {
    const add = (heads: readonly Head[]) => () => addAlignment(exported, heads, GROUPS)
    expect(add([{ layer: 3, head: 0 }])).toThrow('has no head 0 in layer 3.')
    expect(add([{ layer: 0, head: 4 }])).toThrow('has no head 4 in layer 0.')
    expect(add([])).toThrow('Found 0 heads for the alignment, wanted 1 to 6.')
    const twice = parseModel(editedBytes(exported.bytes, add([{ layer: 0, head: 0 }])()))
    expect(() => addAlignment(twice, [{ layer: 0, head: 0 }], GROUPS)).toThrow(
      'has the output alignment already.',
    )
    expect(() => attentionWeights(parseModel(sampleModel()))).toThrow('has 0 Softmax nodes for 0 layers')
  })
})
