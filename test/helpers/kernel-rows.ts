// SPDX-License-Identifier: Apache-2.0

import { seededRandom } from '../../eval/random.ts'
import { argmax, openDecoder } from '../../eval/runtime/decoder.ts'
import { openEmbeddings } from '../../eval/runtime/embeddings.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { jobOf } from './kernel-job.ts'

/*
 * A process of its own: logits of sequences that are decoded alone and together, with the kernels that this process has. The job:
 * variants, and how config.json describes their decoders.
 */

export interface RowsJob {
  readonly folder: string
  /** by variant */
  readonly tags: Readonly<Record<string, string>>
}

const TOKENS = 12
const LENGTHS = [9, 30, 71]

const { folder, tags } = await jobOf<RowsJob>()
const release = await openRelease(folder)
const { embeddingShape, vocabSize } = release.config
const embeddings = openEmbeddings(`${folder}/embed_tokens.bin`, embeddingShape)
const random = seededRandom(3)
const prompts = LENGTHS.map((length) => Array.from({ length }, () => Math.floor(random() * vocabSize)))

const same: Record<string, boolean> = {}
for (const [name, tag] of Object.entries(tags)) {
  const variant = { ...release.variant(name), precision: new Map([['decoder', tag]]) }
  const options = { threads: 2, isSteady: true, layout: 'fused' } as const
  const decoder = await openDecoder({ release, variant }, embeddings, options)
  const decode = async (sequences: readonly number[][]) => {
    const bits = sequences.map((): string[] => [])
    const tokens: number[] = []
    const take = (row: number, logits: Float32Array) => {
      bits[row]?.push(Buffer.from(logits.slice().buffer).toString('base64'))
      tokens[row] = argmax(logits)
    }
    for (const [row, ids] of sequences.entries())
      take(row, await decoder.prefill([{ prompt: { ids, audioOffset: 0 }, features: new Float32Array(0) }]))
    for (let i = 0; i < TOKENS; i++) {
      const logits = await decoder.step(tokens)
      for (const row of sequences.keys()) take(row, logits.subarray(row * vocabSize, (row + 1) * vocabSize))
    }
    decoder.clear()
    return bits
  }
  const together = await decode(prompts)
  const alone = []
  for (const ids of prompts) alone.push(...(await decode([ids])))
  same[name] = JSON.stringify(alone) === JSON.stringify(together)
  await decoder.release()
}
console.log(JSON.stringify(same))
