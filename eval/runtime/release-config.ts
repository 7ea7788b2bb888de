// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { contradictions, READER_CONFIG } from './config-schema.ts'
import { damaged, readJson } from './json-file.ts'
import type { CacheShape } from './kv-store.ts'
import { join } from './platform/file-paths.ts'
import { checkedAs, section, text } from './schema.ts'
import { SpeechError } from './speech-error.ts'

/** What config.json of a forced aligner's release says of its slots. */
export interface AlignerSettings {
  /** of a slot */
  readonly classes: number
  /** class c is the time c x segmentMs */
  readonly segmentMs: number
  readonly languages: readonly string[]
  /** of a recording at most */
  readonly maxSeconds: number
}

/** The parts of a release's config.json that a reader needs. */
export interface ReleaseConfig {
  readonly hiddenSize: number
  readonly vocabSize: number
  readonly cache: CacheShape
  /** mel frames that attend to each other; older releases do not say */
  readonly windowFrames?: number | undefined
  readonly endIds: readonly number[]
  readonly embeddingShape: readonly [number, number]
  /** of a forced aligner */
  readonly aligner?: AlignerSettings | undefined
  /** how the weights of a graph were made, by the name of its file without .onnx; older releases may lack it */
  readonly quantization: Readonly<Record<string, string>>
}

const KIND = section({ model_type: v.optional(text), embed_tokens_dtype: v.optional(text) })

/**
 * Read config.json of a release directory.
 * @throws SpeechError when it is missing, of another model type, its table is not FP16, or a key is not right
 */
export async function readReleaseConfig(folder: string): Promise<ReleaseConfig> {
  const file = join(folder, 'config.json')
  const value = await readJson(file)
  const { model_type: type, embed_tokens_dtype: dtype = 'float32' } = checkedAs(
    KIND,
    value,
    { file },
    damaged,
  )
  if (type !== 'qwen3_asr' || dtype !== 'float16') {
    throw new SpeechError(
      `${folder}/config.json describes ${type ?? 'no model'} with ${dtype} embeddings, wanted qwen3_asr with float16.`,
    )
  }
  const config = checkedAs(READER_CONFIG, value, { file }, damaged)
  const [problem] = contradictions(config, file)
  if (problem !== undefined) throw damaged(problem)
  const { aligner } = config
  const { encoder, decoder, special_tokens: special, embed_tokens_shape: shape, quantization = {} } = config
  return {
    hiddenSize: decoder.hidden_size,
    vocabSize: shape[0],
    cache: {
      layers: decoder.num_layers,
      heads: decoder.num_key_value_heads,
      headDim: decoder.head_dim,
    },
    windowFrames: encoder?.window_frames,
    endIds: special.eos_token_ids,
    embeddingShape: shape,
    aligner: aligner && {
      ...{ classes: aligner.classes, segmentMs: aligner.segment_ms },
      ...{ languages: aligner.languages, maxSeconds: aligner.max_seconds },
    },
    quantization,
  }
}
