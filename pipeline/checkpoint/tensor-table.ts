// SPDX-License-Identifier: Apache-2.0

import { type AlignerConfig, SCORE } from './aligner-config.ts'
import type { AudioConfig, TextConfig } from './checkpoint-config.ts'

/**
 * Every tensor that a checkpoint with these configs must hold, by native name, with its shape.
 * Source: transformers `Qwen3ASRForConditionalGeneration`, and `Qwen3ASRForTokenClassification` for a forced aligner.
 */
export function expectedTensors(
  audio: AudioConfig,
  text: TextConfig,
  aligner?: Pick<AlignerConfig, 'classes'>,
): Map<string, readonly number[]> {
  return new Map([
    ...prefixed('model.audio_tower.', encoderTensors(audio)),
    ...prefixed('model.multi_modal_projector.', [
      ...linear('linear_1', audio.d_model, audio.d_model),
      ...linear('linear_2', audio.output_dim, audio.d_model),
    ]),
    ...prefixed('model.language_model.', decoderTensors(text)),
    ...head(text, aligner),
  ])
}

function head(text: TextConfig, aligner: Pick<AlignerConfig, 'classes'> | undefined): Entry[] {
  if (aligner) return [[SCORE, [aligner.classes, text.hidden_size]]]
  return text.tie_word_embeddings ? [] : [['lm_head.weight', [text.vocab_size, text.hidden_size]]]
}

type Entry = readonly [string, readonly number[]]

function encoderTensors(audio: AudioConfig): Entry[] {
  const { d_model: width, downsample_hidden_size: channels } = audio
  const frequencies = Math.ceil(audio.num_mel_bins / 8)
  return [
    ['conv2d1.weight', [channels, 1, 3, 3]],
    ['conv2d1.bias', [channels]],
    ['conv2d2.weight', [channels, channels, 3, 3]],
    ['conv2d2.bias', [channels]],
    ['conv2d3.weight', [channels, channels, 3, 3]],
    ['conv2d3.bias', [channels]],
    ['conv_out.weight', [width, channels * frequencies]],
    ...repeated(audio.encoder_layers, [
      ...['q_proj', 'k_proj', 'v_proj', 'out_proj'].flatMap((name) =>
        linear(`self_attn.${name}`, width, width),
      ),
      ...norm('self_attn_layer_norm', width),
      ...linear('fc1', audio.encoder_ffn_dim, width),
      ...linear('fc2', width, audio.encoder_ffn_dim),
      ...norm('final_layer_norm', width),
    ]),
    ...norm('ln_post', width),
  ]
}

function decoderTensors(text: TextConfig): Entry[] {
  const { hidden_size: width, intermediate_size: ffn, head_dim: size } = text
  const queries = text.num_attention_heads * size
  const keys = text.num_key_value_heads * size
  return [
    ['embed_tokens.weight', [text.vocab_size, width]],
    ...repeated(text.num_hidden_layers, [
      ['input_layernorm.weight', [width]],
      ['self_attn.q_proj.weight', [queries, width]],
      ['self_attn.k_proj.weight', [keys, width]],
      ['self_attn.v_proj.weight', [keys, width]],
      ['self_attn.o_proj.weight', [width, queries]],
      ['self_attn.q_norm.weight', [size]],
      ['self_attn.k_norm.weight', [size]],
      ['post_attention_layernorm.weight', [width]],
      ['mlp.gate_proj.weight', [ffn, width]],
      ['mlp.up_proj.weight', [ffn, width]],
      ['mlp.down_proj.weight', [width, ffn]],
    ]),
    ['norm.weight', [width]],
  ]
}

function linear(name: string, rows: number, columns: number): Entry[] {
  return [
    [`${name}.weight`, [rows, columns]],
    [`${name}.bias`, [rows]],
  ]
}

function norm(name: string, width: number): Entry[] {
  return [
    [`${name}.weight`, [width]],
    [`${name}.bias`, [width]],
  ]
}

function repeated(layers: number, entries: readonly Entry[]): Entry[] {
  return Array.from({ length: layers }, (_, i) => prefixed(`layers.${i}.`, entries)).flat()
}

function prefixed(prefix: string, entries: readonly Entry[]): Entry[] {
  return entries.map(([name, shape]) => [prefix + name, shape])
}
