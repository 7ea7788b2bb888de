// SPDX-License-Identifier: Apache-2.0

import type { Decoder } from './decoder.ts'
import type { EmbeddingTable } from './embeddings.ts'
import { LAYOUTS } from './graphs.ts'
import { type InferenceSession, Tensor } from './onnxruntime.ts'
import type { PromptInput } from './prompt.ts'
import { floats, openSession, output, type SessionOptions, type Source } from './session.ts'
import { SpeechError } from './speech-error.ts'

const [INIT, STEP] = LAYOUTS.split

/** One sequence: its length, and its cache as the graphs hand it over, [layers, 1, kv_heads, positions, head_dim]. */
interface Sequence {
  length: number
  keys: Tensor
  values: Tensor
}

/**
 * Load the split layout: one graph for the prompt, another for a step, which takes and returns the whole KV cache.
 * @throws SpeechError when a graph is missing or refused
 */
export async function openSplitDecoder(
  source: Source,
  embeddings: EmbeddingTable,
  options: SessionOptions,
): Promise<Decoder> {
  const { config } = source.release
  const [init, step] = [await openSession(source, INIT, options), await openSession(source, STEP, options)]
  const embedding = new Float32Array(config.hiddenSize)
  const position = new BigInt64Array(1)
  const inputs = {
    input_embeds: new Tensor('float32', embedding, [1, 1, config.hiddenSize]),
    position_ids: new Tensor('int64', position, [1, 1]),
  }
  let sequence: Sequence | undefined
  return {
    layout: 'split',
    prefillKind: 'same',
    maxRows: 1,
    takesDrafts: false,
    alignsWords: false,
    get rows() {
      return sequence ? 1 : 0
    },
    async prefill([input, ...others]) {
      if (!input || sequence || others.length > 0)
        throw new RangeError('The split layout decodes one sequence at a time.')
      const results = await init.run(promptInputs(input, config.hiddenSize))
      sequence = { length: input.prompt.ids.length, ...cacheOf(results) }
      return lastLogits(results, config.vocabSize)
    },
    async step([token]) {
      if (!sequence || token === undefined) throw new RangeError('There is no sequence to continue with.')
      embeddings.read(token, embedding)
      position[0] = BigInt(sequence.length++)
      const { keys: past_keys, values: past_values } = sequence
      const results = await step.run({ ...inputs, past_keys, past_values })
      Object.assign(sequence, cacheOf(results))
      return lastLogits(results, config.vocabSize)
    },
    attention() {
      throw new RangeError('The split layout says nothing about attention.')
    },
    shorten(_, positions) {
      if (positions > 0) throw new RangeError('The split layout takes no drafts.')
    },
    remove() {
      sequence = undefined
    },
    clear() {
      sequence = undefined
    },
    async release() {
      await init.release()
      await step.release()
    },
  }
}

/** Older exports give the logits of every position of the prompt. */
function lastLogits(results: InferenceSession.OnnxValueMapType, vocab: number): Float32Array {
  const logits = floats(output(results, 'logits'))
  if (logits.length > 0 && logits.length % vocab === 0) return logits.subarray(logits.length - vocab)
  throw new SpeechError(
    `The decoder gave ${logits.length} logits, wanted ${vocab}.`,
    'config.json and the graphs are of different models.',
  )
}

function promptInputs(
  { prompt: { ids, audioOffset }, features }: PromptInput,
  hidden: number,
): InferenceSession.FeedsType {
  const positions = Array.from(ids, (_, i) => i)
  return {
    input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
    position_ids: new Tensor('int64', BigInt64Array.from(positions, BigInt), [1, ids.length]),
    audio_features: new Tensor('float32', features, [1, features.length / hidden, hidden]),
    audio_offset: new Tensor('int64', BigInt64Array.of(BigInt(audioOffset)), [1]),
  }
}

function cacheOf(results: InferenceSession.OnnxValueMapType): Pick<Sequence, 'keys' | 'values'> {
  return { keys: output(results, 'present_keys'), values: output(results, 'present_values') }
}
