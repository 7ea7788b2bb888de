// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import { type EmbeddingTable, openEmbeddings } from '../../eval/runtime/embeddings.ts'
import { type Encoder, openEncoder } from '../../eval/runtime/encoder.ts'
import { EMBEDDINGS, FP32, graphFile, LAYOUTS } from '../../eval/runtime/graphs.ts'
import { emptyPast } from '../../eval/runtime/kv-cache.ts'
import { logMel } from '../../eval/runtime/mel.ts'
import { type InferenceSession, Tensor } from '../../eval/runtime/onnxruntime.ts'
import { buildPrompt, promptEmbeddings } from '../../eval/runtime/prompt.ts'
import { openRelease, type Release } from '../../eval/runtime/release.ts'
import { floats, openGraph, output } from '../../eval/runtime/session.ts'
import { readTokenizer, type Tokenizer } from '../../eval/runtime/tokenizer.ts'
import { pausesIn } from '../../eval/runtime/words/pauses.ts'
import { tokenRanges } from '../../eval/runtime/words/token-ranges.ts'
import type { Evidence } from '../../eval/runtime/words/word-times.ts'
import { attentionWeights, exposeAttention } from '../../graph-tools/attention.ts'
import { openModel } from '../../graph-tools/model.ts'
import { editedBytes } from '../../graph-tools/splice.ts'
import type { SpokenClip } from './spoken-clips.ts'

/* The attention of all heads along known transcripts. */

/** What every head of the decoder looks at while it is given the transcript of a clip. */
export interface HeardClip extends Omit<Evidence, 'attention'> {
  readonly clip: SpokenClip
  /** [layer][head][tokens + 1][features], as Evidence has it */
  readonly heads: readonly (readonly (readonly Float32Array[])[])[]
}

interface Parts {
  readonly release: Release
  readonly tokenizer: Tokenizer
  readonly embeddings: EmbeddingTable
  readonly encoder: Encoder
  readonly decoder: InferenceSession
  /** outputs with the attention of each layer */
  readonly names: readonly string[]
}

/**
 * Run FP32 along the transcripts of clips.
 * @param folder release directory with the fused FP32 graphs
 * @throws SpeechError when a graph is missing or refused
 */
export async function* hearClips(
  folder: string,
  clips: readonly SpokenClip[],
  threads: number,
): AsyncGenerator<HeardClip> {
  const parts = await openParts(folder, threads)
  try {
    for (const clip of clips) yield await hear(parts, clip)
  } finally {
    await parts.encoder.release()
    await parts.decoder.release()
    parts.embeddings.close()
  }
}

async function openParts(folder: string, threads: number): Promise<Parts> {
  const release = await openRelease(folder)
  const variant = release.variant(FP32)
  const model = openModel(join(folder, graphFile(LAYOUTS.fused[0], FP32)))
  const bytes = editedBytes(model.bytes, exposeAttention(model))
  const tokenizer = await readTokenizer(folder)
  const encoder = await openEncoder({ release, variant }, { threads })
  const decoder = await openGraph(model.path as string, { bytes, folder }, { threads })
  const embeddings = openEmbeddings(join(folder, EMBEDDINGS), release.config.embeddingShape)
  return { release, tokenizer, embeddings, encoder, decoder, names: attentionWeights(model) }
}

async function hear(parts: Parts, clip: SpokenClip): Promise<HeardClip> {
  const { tokenizer, encoder, release, embeddings, decoder } = parts
  const { hiddenSize, cache } = release.config
  const features = await encoder.run(logMel(clip.samples))
  const count = features.length / hiddenSize
  const prompt = buildPrompt(tokenizer, count, { language: clip.language })
  const tokens = tokenizer.encode(clip.text)
  const ids = [...prompt.ids, ...tokens]
  const embeds = new Float32Array(ids.length * hiddenSize)
  promptEmbeddings({ ids, audioOffset: prompt.audioOffset }, features, embeddings, embeds)
  // the positions that predict the tokens, and the end
  const ends = Array.from({ length: tokens.length + 1 }, (_, i) => prompt.ids.length + i)
  const integers = (values: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
  const past = decoder.inputNames.filter((name) => name.startsWith('past_key_values.'))
  const results = await decoder.run({
    input_embeds: new Tensor('float32', embeds, [1, ids.length, hiddenSize]),
    input_lengths: integers(ends),
    past_lengths: integers([0]),
    ...emptyPast(past, 1, cache),
  })
  const audio = { start: prompt.audioOffset, count, length: ids.length }
  const heads = parts.names.map((name) => headsOf(output(results, name), ends, audio))
  const seconds = clip.samples.length / SAMPLE_RATE
  return { clip, heads, ...tokenRanges(tokenizer, tokens), pauses: pausesIn(clip.samples), seconds }
}

/** @param weights [1, KV, G, positions, past + length]; the last layer has the positions of the ends alone */
function headsOf(
  weights: Tensor,
  ends: readonly number[],
  audio: { readonly start: number; readonly count: number; readonly length: number },
): Float32Array[][] {
  const [, keyHeads = 0, groups = 0, positions = 0, width = 0] = weights.dims
  const values = floats(weights)
  const first = width - audio.length + audio.start
  return Array.from({ length: keyHeads * groups }, (_, head) =>
    ends.map((end, i) => {
      const row = positions === ends.length ? i : end - 1
      const start = (head * positions + row) * width + first
      return values.slice(start, start + audio.count)
    }),
  )
}
