// SPDX-License-Identifier: Apache-2.0

import type { EmbeddingTable } from '../embeddings.ts'
import { ALIGNER, FAMILIES } from '../graphs.ts'
import type { LoadCache } from '../load-cache.ts'
import { Tensor } from '../onnxruntime.ts'
import { preparePromptGraph } from '../prefill.ts'
import { promptEmbeddings } from '../prompt.ts'
import type { Way } from '../release.ts'
import { floats, openSession, output, type SessionOptions, type Source } from '../session.ts'
import type { AlignerPrompt } from './aligner-prompt.ts'

/** The graph that gives each slot of a prompt its classes. Calls must not overlap. */
export interface SlotGraph {
  readonly prefill: Way['prefill']
  /**
   * @param features of the audio [N, hidden], flat
   * @returns logits [slots, classes], flat
   */
  run(prompt: AlignerPrompt, features: Float32Array): Promise<Float32Array>
  release(): Promise<void>
}

interface SlotGraphOptions extends SessionOptions {
  readonly prefill: Way['prefill']
  /** keeps the weights of 8-bit products for the next load */
  readonly cache?: LoadCache
}

/**
 * Load the graph of a forced aligner: from a whole prompt to the logits of its slots.
 * @throws SpeechError when the graph is missing or refused
 */
export async function openSlotGraph(
  source: Source,
  embeddings: EmbeddingTable,
  { prefill, cache, ...options }: SlotGraphOptions,
): Promise<SlotGraph> {
  const { session, fixed } =
    prefill === 'int8'
      ? await preparePromptGraph(source, FAMILIES.aligner.prompts, cache)(options)
      : { session: await openSession(source, ALIGNER, options), fixed: {} }
  return {
    prefill,
    async run(prompt, features) {
      const { ids, slots } = prompt
      const embeds = new Float32Array(ids.length * embeddings.hidden)
      promptEmbeddings(prompt, features, embeddings, embeds)
      const results = await session.run({
        ...fixed,
        input_embeds: new Tensor('float32', embeds, [1, ids.length, embeddings.hidden]),
        input_lengths: new Tensor('int64', BigInt64Array.of(BigInt(ids.length)), [1]),
        slots: new Tensor('int64', BigInt64Array.from(slots, BigInt), [1, slots.length]),
      })
      return floats(output(results, 'logits'))
    },
    release: () => session.release(),
  }
}
