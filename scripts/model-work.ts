// SPDX-License-Identifier: Apache-2.0

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { RELEASE_CONFIG, type ReleaseConfigFile } from '../eval/runtime/config-schema.ts'
import { decoderData } from '../eval/runtime/graphs.ts'
import { checkedText } from '../pipeline/shared/checked.ts'
import { Failure } from '../pipeline/shared/failure.ts'

/* What a model has to do, counted from its sizes: multiply-adds, and bytes that must come from memory. */

/** As in config.json of a release. */
export interface ReleaseSizes extends Pick<ReleaseConfigFile, 'encoder' | 'decoder'> {
  /** of the decoder's weights, which a step reads once */
  readonly weightBytes: number
}

/** Mel frames that the stem sees at once, and tokens that it makes of them. */
const [CHUNK, CHUNK_TOKENS] = [100, 13]
const TAPS = 9

/**
 * Sizes of a release, and bytes of a variant's decoder weights.
 * @throws Failure when the folder holds no config.json, or one that is not right
 */
export async function readSizes(folder: string, variant: string): Promise<ReleaseSizes> {
  const text = await readFile(join(folder, 'config.json'), 'utf8').catch(() => {
    throw new Failure(
      `${folder} is not a release: it holds no config.json.`,
      'Make one: npm run make-checkpoint, then npm run pipeline -- --until quantize',
    )
  })
  const { encoder, decoder } = checkedText(RELEASE_CONFIG, text, {
    file: join(folder, 'config.json'),
    hint: 'Make the release again: npm run pipeline -- --until quantize',
  })
  return { encoder, decoder, weightBytes: (await stat(join(folder, decoderData(variant)))).size }
}

/** Multiply-adds of the encoder: its convolutions, and everything behind them. Attention inside of 8 s is left out. */
export function encoderMacs(
  { encoder, decoder }: ReleaseSizes,
  frames: number,
): { stem: number; layers: number } {
  const { hidden_size: width, ffn_dim: ffn, conv_channels: channels, num_mel_bins: bins } = encoder
  const chunks = Math.ceil(frames / CHUNK)
  let [height, length, inputs, stem] = [bins, CHUNK, 1, 0]
  for (let i = 0; i < 3; i++) {
    height = Math.ceil(height / 2)
    length = Math.ceil(length / 2)
    stem += channels * inputs * TAPS * height * length
    inputs = channels
  }
  const tokens = chunks * CHUNK_TOKENS
  const perToken =
    channels * height * width +
    encoder.num_layers * (4 * width ** 2 + 2 * width * ffn) +
    width ** 2 +
    width * decoder.hidden_size
  return { stem: chunks * stem, layers: tokens * perToken }
}

/** Multiply-adds of a prompt of which the last position alone reaches the logits. */
export function prefillMacs({ decoder }: ReleaseSizes, positions: number): number {
  const { num_layers: layers, hidden_size: hidden, head_dim: size, intermediate_size: ffn } = decoder
  const [queries, cache] = [decoder.num_attention_heads * size, decoder.num_key_value_heads * size]
  const rest = 2 * hidden * queries + 3 * hidden * ffn
  const attention = 2 * positions ** 2 * queries
  const full = positions * (2 * hidden * cache + rest) + attention
  const last = positions * 2 * hidden * cache + rest + 2 * positions * queries
  return (layers - 1) * full + last + hidden * decoder.vocab_size
}

/** Bytes that one step reads: all weights, and keys and values of the past in float32. */
export function stepBytes({ decoder, weightBytes }: ReleaseSizes, past: number): number {
  return weightBytes + 8 * decoder.num_layers * decoder.num_key_value_heads * decoder.head_dim * past
}
