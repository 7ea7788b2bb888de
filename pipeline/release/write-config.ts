// SPDX-License-Identifier: Apache-2.0

import { configProblems, type ReleaseConfigFile } from '../../eval/runtime/config-schema.ts'
import { EMBEDDINGS, FAMILIES, graphFile, prefillRecipe, quantizedTable } from '../../eval/runtime/graphs.ts'
import type { Tokenizer } from '../../eval/runtime/tokenizer.ts'
import type { Alignment } from '../alignment/alignment-file.ts'
import { type Checkpoint, familyOf } from '../checkpoint/checkpoint.ts'
import type { Recipe } from '../recipe-schema.ts'
import { Failure } from '../shared/failure.ts'
import { alignerSection } from './aligner-section.ts'
import { port } from './port.ts'
import { ENDS, TOKEN_IDS } from './token-ids.ts'

/**
 * config.json of a release, with every key that readers require (release contract, section 5).
 * @param recipes of the variants
 * @param quantization graph name to tag
 * @param alignment of the fused graphs; undefined where they do not give it
 * @throws Failure for a checkpoint with which it would break the contract
 */
export function releaseConfig(
  checkpoint: Checkpoint,
  tokenizer: Tokenizer,
  recipes: ReadonlyMap<string, Recipe | undefined>,
  quantization: Readonly<Record<string, string>>,
  alignment?: Alignment,
): ReleaseConfigFile {
  const { audio_config: audio, text_config: text } = checkpoint
  const family = familyOf(checkpoint)
  const quicker = [...recipes]
    .filter(([, recipe]) => recipe?.prompts === 'int8')
    .map(([name]) => prefillRecipe(name, family))
  const graphs = [...recipes.keys()].map((variant) => graphFile(FAMILIES[family].main, variant))
  const prompts = quicker.length > 0 ? { quicker_prompts: quicker } : {}
  const tables = [...recipes]
    .filter(([, recipe]) => recipe?.embeddings !== undefined)
    .map(([name]) => [name, quantizedTable(name)] as const)
  const config: ReleaseConfigFile = {
    model_type: 'qwen3_asr',
    encoder: {
      num_layers: audio.encoder_layers,
      hidden_size: audio.d_model,
      num_heads: audio.encoder_attention_heads,
      ffn_dim: audio.encoder_ffn_dim,
      conv_channels: audio.downsample_hidden_size,
      output_dim: audio.output_dim,
      downsample_factor: 8,
      num_mel_bins: audio.num_mel_bins,
      window_frames: audio.n_window_infer,
    },
    decoder: {
      num_layers: text.num_hidden_layers,
      hidden_size: text.hidden_size,
      num_attention_heads: text.num_attention_heads,
      num_key_value_heads: text.num_key_value_heads,
      head_dim: text.head_dim,
      intermediate_size: text.intermediate_size,
      vocab_size: text.vocab_size,
      rope_theta: text.rope_theta,
      rms_norm_eps: text.rms_norm_eps,
      tie_word_embeddings: text.tie_word_embeddings,
      rope_scaling: checkpoint.rope_scaling,
      ...(alignment && { alignment }),
      ...(checkpoint.aligner === undefined && {
        fused: { graphs, ...fusedSection(checkpoint, alignment !== undefined), ...prompts },
      }),
    },
    ...(checkpoint.aligner && {
      aligner: { ...alignerSection(checkpoint.aligner, text.hidden_size), graphs, ...prompts },
    }),
    mel: { sample_rate: 16000, n_fft: 400, hop_length: 160, n_mels: audio.num_mel_bins, fmin: 0, fmax: 8000 },
    special_tokens: { eos_token_ids: ENDS.map(tokenizer.idOf), ...tokenIds(tokenizer) },
    embed_tokens_dtype: 'float16',
    embed_tokens_shape: [text.vocab_size, text.hidden_size],
    ...(tables.length > 0 && { embed_tokens_quantized: Object.fromEntries(tables) }),
    quantization,
  }
  const [problem] = configProblems(config)
  if (problem !== undefined) throw new Failure(problem, 'The checkpoint cannot be described: report it.')
  return config
}

function tokenIds({ idOf }: Tokenizer): Record<keyof typeof TOKEN_IDS, number> {
  const ids = Object.entries(TOKEN_IDS).map(([key, token]) => [key, idOf(token)])
  return Object.fromEntries(ids)
}

/** How to run the fused decoder, for a reader who has only this file and the graphs. */
function fusedSection(
  { text_config: text }: Checkpoint,
  isAligned: boolean,
): Omit<NonNullable<ReleaseConfigFile['decoder']['fused']>, 'graphs'> {
  const [layers, kv, size] = [text.num_hidden_layers, text.num_key_value_heads, text.head_dim]
  const cache = (positions: string, about: string) => port('float32', ['B', kv, positions, size], about)
  return {
    about:
      'One graph for prompts and steps, for B sequences at once. Feed B rows of S embeddings and a buffer of C >= 1 past ' +
      'positions; get the logits of the last position of each row, or of several, and the keys and values of the S new positions alone. ' +
      `{i} counts the layers, 0 to ${layers - 1}. Rows may have unequal lengths: what is valid stands in front, and what ` +
      'stands behind is not looked at, but must be finite (zeros will do).',
    inputs: {
      input_embeds: port(
        'float32',
        ['B', 'S', text.hidden_size],
        `rows of ${EMBEDDINGS} for the tokens, widened to float32 (or those of embed_tokens_quantized), with the audio features in place of the audio pads`,
      ),
      input_lengths: port(
        'int64',
        ['B * K'],
        'valid positions of each row of input_embeds, 1 to S. With K for each row, one row after the other: the lengths at ' +
          'whose ends logits are wanted, which checks K - 1 drafted tokens in one run',
      ),
      past_lengths: port('int64', ['B'], 'valid positions of each row of the past, 0 to C'),
      'past_key_values.{i}.key': cache('C', 'keys of the past, as new.{i}.key gave them'),
      'past_key_values.{i}.value': cache('C', 'values of the past'),
    },
    outputs: {
      logits: port('float32', ['B', 'K', text.vocab_size], 'of each row at its positions input_lengths - 1'),
      'new.{i}.key': cache('S', 'keys of the new positions'),
      'new.{i}.value': cache('S', 'values of the new positions'),
      ...(isAligned && {
        alignment: port(
          'float32',
          ['B', 'K', 'C + S'],
          'where each of the logits looked: the mean attention of decoder.alignment.heads to the past and to the new positions, for times of words',
        ),
      }),
    },
    prompt: [
      'input_embeds: the prompt, S the longest of the rows; input_lengths: their lengths; past_lengths: zeros; the past: zeros, C = 1.',
      'Copy the first input_lengths[b] positions of new.{i}.key and new.{i}.value to the front of row b of the past.',
      'Set past_lengths[b] to input_lengths[b].',
    ],
    step: [
      'Stop a row whose largest logit is one of special_tokens.eos_token_ids.',
      'input_embeds: the row of the token with the largest logit, S = 1; input_lengths: ones; past_lengths as they are.',
      'Copy new.{i}.key and new.{i}.value to position past_lengths[b] of row b of the past; add 1 to past_lengths[b].',
      'When C is used up, copy the past to a larger buffer.',
    ],
  }
}
